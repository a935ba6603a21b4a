import type { Reporter } from '../metrics/reporter.ts';
import type { Result } from './compare/compare.ts';
import { Mismatches, type Mismatch } from './mismatches.ts';
import type { Dropped, ShadowLimits } from './options.ts';
import type { PictureStore } from './pictures.ts';

/** What is known of one feature. */
export interface FeatureParity {
  readonly counts: Readonly<Record<Result, number>>;
  readonly dropped: Readonly<Partial<Record<Dropped, number>>>;
  /** Newest first. */
  readonly mismatches: readonly Mismatch[];
}

/** What has come since the last `take`; JSON. */
export interface ParityDelta {
  readonly [feature: string]: {
    readonly counts: Readonly<Partial<Record<Result, number>>>;
    readonly dropped: Readonly<Partial<Record<Dropped, number>>>;
    readonly mismatches: readonly Mismatch[];
  };
}

/** Results, drops and mismatches by feature. Of several processes, one adds up what the others hand over. */
export interface Parity extends Reporter {
  /** `count` comparisons that ended alike. */
  result(feature: string, result: Result, count?: number): void;
  drop(feature: string, reason: Dropped): void;
  mismatch(feature: string, mismatch: Mismatch): void;
  of(feature: string): FeatureParity;
  features(): readonly string[];
  find(feature: string, id: string): Mismatch | undefined;
  take(): ParityDelta;
  add(delta: unknown, from: string): void;
}

interface Kept {
  readonly counts: Record<Result, number>;
  readonly dropped: Partial<Record<Dropped, number>>;
  /** As of the last `take`. */
  taken: { counts: Record<Result, number>; dropped: Partial<Record<Dropped, number>> };
  readonly mismatches: Mismatches;
}

const NONE: Record<Result, number> = { match: 0, mismatch: 0, ignored: 0, incomparable: 0 };

export function createParity(
  limits: Pick<ShadowLimits, 'kept' | 'keptPerKind' | 'keptPictures'>,
  pictures: Pick<PictureStore, 'remove'>,
): Parity {
  const features = new Map<string, Kept>();
  const gone = ({ id, hasPictures }: Mismatch): void => {
    if (hasPictures) pictures.remove(id);
  };
  const kept = (feature: string): Kept => {
    let found = features.get(feature);
    if (!found) {
      const taken = { counts: { ...NONE }, dropped: {} };
      found = { counts: { ...NONE }, dropped: {}, taken, mismatches: new Mismatches(limits, gone) };
      features.set(feature, found);
    }
    return found;
  };

  function mismatch(feature: string, added: Mismatch): void {
    const { mismatches } = kept(feature);
    mismatches.add(added);
    // The pictures of older ones go first: files are larger than what is said of them.
    const pictured = mismatches.list().filter(({ hasPictures }) => hasPictures);
    if (pictured.length > limits.keptPictures) mismatches.forget(pictured.at(-1)!.id);
  }

  return {
    name: 'parity',
    result(feature, result, count = 1) {
      kept(feature).counts[result] += count;
    },
    drop(feature, reason) {
      const { dropped } = kept(feature);
      dropped[reason] = (dropped[reason] ?? 0) + 1;
    },
    mismatch,
    of(feature) {
      const found = features.get(feature);
      if (!found) return { counts: NONE, dropped: {}, mismatches: [] };
      return { counts: found.counts, dropped: found.dropped, mismatches: found.mismatches.list() };
    },
    features: () => [...features.keys()],
    find: (feature, id) => features.get(feature)?.mismatches.find(id),
    take() {
      const delta: Record<string, ParityDelta[string]> = {};
      for (const [name, { counts, dropped, taken, mismatches }] of features) {
        const some = { counts: less(counts, taken.counts), dropped: less(dropped, taken.dropped) };
        Object.assign(taken.counts, counts);
        Object.assign(taken.dropped, dropped);
        delta[name] = { ...some, mismatches: mismatches.take() };
      }
      return delta;
    },
    add(delta) {
      for (const [name, { counts, dropped, mismatches }] of Object.entries(delta as ParityDelta)) {
        const found = kept(name);
        for (const result of Object.keys(counts) as Result[]) found.counts[result] += counts[result]!;
        for (const reason of Object.keys(dropped) as Dropped[])
          found.dropped[reason] = (found.dropped[reason] ?? 0) + dropped[reason]!;
        for (const each of mismatches) mismatch(name, each);
      }
    },
  };
}

/** What was counted beyond `before`; nothing for what was not. */
function less<K extends string>(
  now: Partial<Record<K, number>>,
  before: Partial<Record<K, number>>,
): Partial<Record<K, number>> {
  const more: Partial<Record<K, number>> = {};
  for (const key of Object.keys(now) as K[]) {
    const count = now[key]! - (before[key] ?? 0);
    if (count > 0) more[key] = count;
  }
  return more;
}
