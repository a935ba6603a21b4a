/** How many wrong tokens an address may send. */
export interface AttemptLimits {
  /** Wrong tokens within the window that are answered plainly; the next one is told to wait. Default 10. */
  readonly max: number;
  /** Milliseconds, counted from the first wrong one. Default 60,000. */
  readonly window: number;
  /** Addresses remembered at once; the one that was heard of first is forgotten. Default 4096. */
  readonly addresses: number;
}

export const DEFAULT_ATTEMPTS: AttemptLimits = { max: 10, window: 60_000, addresses: 4096 };

export interface Attempts {
  /** Notes a wrong token. Returns null, or the seconds to wait when there have been too many. */
  wrong(address: string): number | null;
}

/** Counts wrong tokens by address, in fixed windows and bounded memory. */
export function createAttempts(now: () => number, limits: AttemptLimits = DEFAULT_ATTEMPTS): Attempts {
  const seen = new Map<string, { since: number; count: number }>();
  return {
    wrong(address) {
      const at = now();
      let entry = seen.get(address);
      if (!entry || at - entry.since >= limits.window) {
        // Set anew, so that the order of the map stays the order of age.
        seen.delete(address);
        if (seen.size >= limits.addresses) seen.delete(seen.keys().next().value!);
        seen.set(address, (entry = { since: at, count: 0 }));
      }
      entry.count += 1;
      return entry.count > limits.max ? Math.ceil((entry.since + limits.window - at) / 1000) : null;
    },
  };
}
