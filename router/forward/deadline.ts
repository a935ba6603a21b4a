/** What bounds the time of one try. Milliseconds; `total` and `visit` are points in time, Infinity when there is none. */
export interface TryTimes {
  readonly now: number;
  /** End of the whole exchange: the route's own time. */
  readonly total: number;
  /** End of the visit to this upstream, all its instances together: its own `response` time. */
  readonly visit: number;
  /** Somebody else could still answer: another instance of this upstream, or the fallback. */
  readonly hasOther: boolean;
  readonly hasFallback: boolean;
}

/**
 * When a try is given up. A stalled instance must not use up the time of the one that would answer, so as long as there is somebody else a try
 * gets half of what is left. The fallback has its own upstream's time, unless the route bounds the total.
 */
export function tryDeadline({ now, total, visit, hasOther, hasFallback }: TryTimes): number {
  const share = hasFallback && total !== Infinity ? now + (total - now) / 2 : total;
  const end = Math.min(visit, share);
  return hasOther ? now + (end - now) / 2 : end;
}
