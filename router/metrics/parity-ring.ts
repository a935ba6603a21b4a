/** What became of one comparison of the two sides' answers. */
export type ParityResult = 'match' | 'mismatch' | 'ignored' | 'incomparable';
export type ParityCounts = Readonly<Record<ParityResult, number>>;
type Counts = Record<ParityResult, number>;

export const PARITY_RESULTS = ['match', 'mismatch', 'ignored', 'incomparable'] as const;

export function noParity(): Counts {
  return { match: 0, mismatch: 0, ignored: 0, incomparable: 0 };
}

export function addParity(sum: Counts, counts: ParityCounts): void {
  for (const result of PARITY_RESULTS) sum[result] += counts[result];
}

export interface ParityRing {
  /** Notes comparisons at a moment, milliseconds since the epoch. */
  note(at: number, result: ParityResult, count: number): void;
  /** Adds to `sum` what was noted from `from` to before `to`, in whole units. */
  addTo(sum: Counts, from: number, to: number): void;
}

/** The comparisons of the last `length` units of time, each `unit` milliseconds. They are few (a sample of the traffic), so a unit without any takes no room. */
export function createParityRing(unit: number, length: number): ParityRing {
  /** In the order of time, so that the oldest are the first. */
  const cells = new Map<number, Counts>();
  return {
    note(at, result, count) {
      const number = Math.floor(at / unit);
      let cell = cells.get(number);
      if (!cell) {
        cells.set(number, (cell = noParity()));
        for (const old of cells.keys()) {
          if (old > number - length) break;
          cells.delete(old);
        }
      }
      cell[result] += count;
    },
    addTo(sum, from, to) {
      const last = Math.ceil(to / unit);
      for (let number = Math.max(Math.floor(from / unit), last - length); number < last; number++) {
        const cell = cells.get(number);
        if (cell) addParity(sum, cell);
      }
    },
  };
}
