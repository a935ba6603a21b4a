import type { Windows } from '../metrics/windows.ts';
import type { SideWindow } from '../metrics/ring.ts';
import type { Evidence, Span } from './gate.ts';

/** Seconds of the shortest end of a step that is looked at: a fault that comes late must not drown in what was well before. */
export const SHORTEST = 20;

/** Longest span that is looked at, in seconds: what the windows hold. */
export const LONGEST = 86_400;

/** Lengths in seconds of what is looked at after `seconds` of a step: all of it, then its ends, each twice the next. */
export function spanLengths(seconds: number): [number, ...number[]] {
  const whole = Math.min(LONGEST, Math.max(0, Math.floor(seconds)));
  const ends: number[] = [];
  for (let length = SHORTEST; length < whole; length *= 2) ends.unshift(length);
  return [whole, ...ends];
}

/** A baseline of an earlier step, kept for when the default upstream has no share to measure. */
export interface Kept {
  /** End of the step it was measured in, milliseconds since the epoch. */
  readonly until: number;
  readonly side: SideWindow;
}

export interface Sides {
  readonly feature: string;
  /** The service. */
  readonly candidate: string;
  /** The default upstream. */
  readonly baseline: string;
}

/** What is known of a step that began at `from`, at the moment `to` (milliseconds since the epoch). */
export function evidenceOf(
  windows: Pick<Windows, 'compared'>,
  { feature, candidate, baseline }: Sides,
  from: number,
  to: number,
  kept: Kept | null,
): Evidence {
  // The second in which the step began belongs to both; it is left out.
  const start = Math.ceil(from / 1000);
  const end = Math.ceil(to / 1000);
  const spans = spanLengths(end - start).map((seconds): Span => {
    const { sides, parity } = windows.compared(feature, (end - seconds) * 1000, end * 1000);
    return {
      seconds,
      candidate: sides[candidate] ?? null,
      baseline: kept ? kept.side : (sides[baseline] ?? null),
      parity,
    };
  }) as [Span, ...Span[]];
  return {
    candidate,
    baseline,
    spans,
    baselineAge: kept ? Math.max(0, Math.round((to - kept.until) / 1000)) : null,
  };
}
