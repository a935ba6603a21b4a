/** What became of one comparison of the two sides' answers. */
export type ParityResult = 'match' | 'mismatch' | 'ignored' | 'incomparable';
export type ParityCounts = Readonly<Record<ParityResult, number>>;
type Counts = Record<ParityResult, number>;

export const PARITY_RESULTS = ['match', 'mismatch', 'ignored', 'incomparable'] as const;

export function noParity(): Counts {
  return { match: 0, mismatch: 0, ignored: 0, incomparable: 0 };
}

/** Comparisons are few (a sample of the traffic), so one grid of seconds for a day does for them: a second without any takes no room. */
const KEPT = 86_400;

/** Comparisons of one feature by the second. */
export function createParityRing(): {
  note(at: number, result: ParityResult, count: number): void;
  add(at: number, counts: ParityCounts): void;
  /** Sums from `from` to before `to`, milliseconds since the epoch, in whole seconds. */
  between(from: number, to: number): ParityCounts;
  /** What has come since the last take; null when nothing has. */
  take(): ParityCounts | null;
} {
  /** In the order of time, so that the oldest are the first. */
  const bySecond = new Map<number, Counts>();
  let pending: Counts | null = null;

  function cellOf(at: number): Counts {
    const second = Math.floor(at / 1000);
    let cell = bySecond.get(second);
    if (!cell) {
      bySecond.set(second, (cell = noParity()));
      for (const old of bySecond.keys()) {
        if (old > second - KEPT) break;
        bySecond.delete(old);
      }
    }
    return cell;
  }

  const self: ReturnType<typeof createParityRing> = {
    note(at, result, count) {
      cellOf(at)[result] += count;
      (pending ??= noParity())[result] += count;
    },
    add(at, counts) {
      for (const result of PARITY_RESULTS) if (counts[result] > 0) self.note(at, result, counts[result]);
    },
    between(from, to) {
      const sum = noParity();
      for (const [second, counts] of bySecond)
        if (second * 1000 < to && (second + 1) * 1000 > from)
          for (const result of PARITY_RESULTS) sum[result] += counts[result];
      return sum;
    },
    take() {
      const taken = pending;
      pending = null;
      return taken;
    },
  };
  return self;
}
