import type { Snapshot } from '../flags/snapshot.ts';
import type { Json } from '../flags/targeting.ts';
import { decideFor, type DecidedFeature, type Decision, type Reason } from '../request/decide.ts';
import type { Context } from './body.ts';

/** A flag's answer in the words of OFREP (https://github.com/open-feature/protocol, service/openapi.yaml). */
export interface Success {
  readonly key: string;
  /** What the flag file gives the variant; mostly its name. */
  readonly value: Json;
  /** Named like the side. */
  readonly variant: string;
  readonly reason: 'STATIC' | 'TARGETING_MATCH' | 'SPLIT' | 'DISABLED';
  readonly metadata: {
    readonly stage: string;
    /** Of the snapshot that decided. */
    readonly version: string;
    /** The application is to do this one at the other side too, without effect, and to report how the two compare (POST …/observations). */
    readonly shadow: boolean;
  };
}

export type ErrorCode =
  'FLAG_NOT_FOUND' | 'PARSE_ERROR' | 'TARGETING_KEY_MISSING' | 'INVALID_CONTEXT' | 'GENERAL';

export interface Failure {
  readonly key: string;
  readonly errorCode: ErrorCode;
  readonly errorDetails: string;
}

/** What an evaluation gave, and the decision behind it; null when there was none. */
export interface Evaluated {
  readonly answer: Success | Failure;
  readonly decision: Decision | null;
}

/** Our reasons in OpenFeature's words (https://openfeature.dev/specification/types#resolution-reason). */
const REASONS: Readonly<Record<Exclude<Reason, 'NO_KEY' | 'OVERRIDE' | 'HOME' | 'PIN'>, Success['reason']>> =
  {
    KILLED: 'DISABLED',
    RETIRED: 'STATIC',
    STAGE: 'STATIC',
    TARGETING: 'TARGETING_MATCH',
    BUCKET: 'SPLIT',
  };

/** Stages in which both sides are there to be compared. */
const COMPARED: readonly string[] = ['shadow', 'canary'];

const byFlag = new WeakMap<Snapshot, ReadonlyMap<string, DecidedFeature>>();

/** The features of a snapshot by the name of their flag: applications know flags. */
export function flagsOf(snapshot: Snapshot): ReadonlyMap<string, DecidedFeature> {
  let flags = byFlag.get(snapshot);
  if (!flags) {
    flags = new Map([...snapshot.features.values()].map((feature) => [feature.config.flag, feature]));
    byFlag.set(snapshot, flags);
  }
  return flags;
}

/**
 * Decides for a context as for a request. Who has no key would get the default side (NO_KEY), and that is what an application's own default is
 * for: the error says that it forgot the key, which an answer would hide. `isSampled` says of a shadow's sample in [0, 1] whether this one is in it.
 */
export function evaluate(
  snapshot: Snapshot,
  feature: DecidedFeature,
  context: Context,
  isSampled: (sample: number) => boolean,
): Evaluated {
  const { config, flag } = feature;
  const key = config.flag;
  const monolith = snapshot.config.default;
  let decision: Decision;
  try {
    decision = decideFor(feature, monolith, context);
  } catch {
    // A rule that reads a name out of the context and is given something that is none.
    const errorDetails = `the targeting of "${key}" can't be evaluated with this context`;
    return { answer: { key, errorCode: 'INVALID_CONTEXT', errorDetails }, decision: null };
  }
  const { upstream, reason, stage, version } = decision;
  if (reason === 'NO_KEY') {
    const errorDetails = `"${key}" is split by key, so the context needs a targetingKey; without one the side is the default, ${monolith}`;
    return { answer: { key, errorCode: 'TARGETING_KEY_MISSING', errorDetails }, decision: null };
  }
  const sample = config.shadow?.sample ?? 0;
  const shadow =
    config.kind === 'seam' &&
    upstream === monolith &&
    reason !== 'KILLED' &&
    COMPARED.includes(stage) &&
    isSampled(sample);
  return {
    answer: {
      key,
      value: flag.variants[upstream] ?? upstream,
      variant: upstream,
      reason: REASONS[reason as keyof typeof REASONS],
      metadata: { stage, version, shadow },
    },
    decision,
  };
}
