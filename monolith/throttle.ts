import { Problem } from './errors.ts';

export interface ThrottleOptions {
  /** Failures an address may have within the window. Default 10. */
  readonly attempts?: number;
  /** Milliseconds from an address's first failure until it is forgotten. Default 15 min. */
  readonly window?: number;
  /** Addresses that are remembered; the one that failed first goes first. Default 10 000. */
  readonly remembered?: number;
  /** Checks under way or in line, of all addresses together. Default 256. */
  readonly waiting?: number;
  readonly now?: () => number;
}

/**
 * Slows the guessing of passwords. An address's checks run one after the other: were they side by side, a burst would be over before the first
 * failure counts. Counting is by address, not by client, because behind a proxy all clients look alike; the price is that
 * somebody who knows an address can keep its owner out for a while. It is kept in this process: two shops allow twice as many.
 */
export function createThrottle({
  attempts = 10,
  window = 15 * 60_000,
  remembered = 10_000,
  waiting = 256,
  now = Date.now,
}: ThrottleOptions = {}): <T>(address: string, check: () => Promise<T | null>) => Promise<T | null> {
  const failures = new Map<string, { count: number; since: number }>();
  const lines = new Map<string, Promise<unknown>>();
  let inLine = 0;

  const checkOne = async <T>(address: string, check: () => Promise<T | null>): Promise<T | null> => {
    const known = failures.get(address);
    if (known && now() - known.since >= window) failures.delete(address);
    else if (known && known.count >= attempts)
      throw new Problem(
        'TOO_MANY',
        'too many wrong passwords for this address; try again later',
        Math.ceil((known.since + window - now()) / 1000),
      );
    const result = await check();
    if (result !== null) failures.delete(address);
    else {
      const { count, since } = failures.get(address) ?? { count: 0, since: now() };
      failures.set(address, { count: count + 1, since });
      if (failures.size > remembered) failures.delete(failures.keys().next().value!);
    }
    return result;
  };

  /** Runs the check; null from it is a failure. Throws TOO_MANY for an address that failed too often, BUSY when the line is full. */
  return async (address, check) => {
    if (inLine >= waiting) throw new Problem('BUSY', 'too many people are logging in', 1);
    inLine += 1;
    const turn = (lines.get(address) ?? Promise.resolve()).then(() => checkOne(address, check));
    const settled = turn.catch(() => {});
    lines.set(address, settled);
    try {
      return await turn;
    } finally {
      inLine -= 1;
      if (lines.get(address) === settled) lines.delete(address);
    }
  };
}
