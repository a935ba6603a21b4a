import type { ShadowLimits } from './options.ts';

/** What has been learned of one route: where the primary's answers differ from themselves. */
export interface Noise {
  /** Places that are noise now. */
  places(now: number): string[];
  learn(places: readonly string[], now: number): void;
  /** True when the primary is to be asked a second time after this request. `random` in [0, 1). */
  isDue(again: number, random: number): boolean;
  /** Something is being learned until the promise resolves. It must not reject. */
  learning(done: Promise<unknown>): void;
  /** Resolves when all that is being learned now is known. */
  learned(): Promise<unknown>;
  /** Something differs that was not checked against the primary's own: the next sampled request is. */
  suspect(): void;
}

/** Remembers places for a while, and no more than so many: those seen last. */
export function createNoise(limits: Pick<ShadowLimits, 'firstAgain' | 'noiseMs' | 'noisePlaces'>): Noise {
  const until = new Map<string, number>();
  const pending = new Set<Promise<unknown>>();
  let seen = 0;
  let isSuspected = false;
  return {
    places(now) {
      for (const [place, end] of until) if (end <= now) until.delete(place);
      return [...until.keys()];
    },
    learn(places, now) {
      for (const place of places) {
        until.delete(place);
        until.set(place, now + limits.noiseMs);
      }
      for (const place of until.keys()) {
        if (until.size <= limits.noisePlaces) break;
        until.delete(place);
      }
    },
    isDue(again, random) {
      const isDue = isSuspected || seen < limits.firstAgain || random < again;
      seen++;
      isSuspected = false;
      return isDue;
    },
    learning(done) {
      pending.add(done);
      void done.finally(() => pending.delete(done));
    },
    learned: () => Promise.all(pending),
    suspect() {
      isSuspected = true;
    },
  };
}
