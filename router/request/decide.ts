import type { Config, FeatureConfig } from '../config/schema.ts';
import type { EvaluationContext, FlagState } from '../flags/read.ts';
import type { Stage } from '../flags/stage.ts';
import { cookieValue } from './cookie.ts';
import { keyOf, type Headed } from './key.ts';
import { readOverride } from './override.ts';

/** Why a request goes where it goes, in the order in which the reasons are tried. */
export type Reason =
  | 'KILLED'
  | 'RETIRED'
  | 'OVERRIDE'
  | 'STAGE'
  | 'NO_KEY'
  | 'TARGETING'
  | 'BUCKET'
  // Of rows that move: the home of what is written, and the home of what the client wrote last.
  | 'HOME'
  | 'PIN';

/** Frozen, and the same value everywhere: in the log line, in the metrics and in `explain`. */
export interface Decision {
  readonly feature: string;
  readonly upstream: string;
  readonly reason: Reason;
  readonly stage: Stage;
  /** Of the snapshot that decided. */
  readonly version: string;
  /** Share of the service in percent when the decision was made; null when it isn't one number. */
  readonly percent: number | null;
}

/** What deciding needs to know of a feature; part of a snapshot. */
export interface DecidedFeature {
  readonly name: string;
  readonly config: FeatureConfig;
  readonly flag: FlagState;
  /** Killed by its flag, or in the state folder of a router that may not write flags. */
  readonly killed: boolean;
  /** The most frequent decisions, made once. */
  readonly frozen: (upstream: string, reason: Reason) => Decision;
}

/** The request, as far as deciding looks at it. */
export interface Asked extends Headed {
  readonly method: string;
  readonly path: string;
  readonly host: string;
}

/** Makes the decisions of a feature, each distinct one only once a snapshot: deciding allocates nothing but the context. */
export function decisions(name: string, flag: FlagState, version: string): DecidedFeature['frozen'] {
  const made: Partial<Record<Reason, Map<string, Decision>>> = {};
  return (upstream, reason) => {
    const known = (made[reason] ??= new Map());
    let decision = known.get(upstream);
    if (!decision) {
      const { stage, percent } = flag;
      decision = Object.freeze({ feature: name, upstream, reason, stage, version, percent });
      known.set(upstream, decision);
    }
    return decision;
  };
}

/** What stands above all else: kill, then retired. Null: neither. */
export function fixedSide(
  { config, flag, killed, frozen }: DecidedFeature,
  fallback: string,
): Decision | null {
  if (killed) return frozen(fallback, 'KILLED');
  return flag.stage === 'retired' ? frozen(config.upstream, 'RETIRED') : null;
}

/** The side of every stage but canary, which asks who it is. Null in canary. */
export function stagedSide({ config, flag, frozen }: DecidedFeature, fallback: string): Decision | null {
  if (flag.stage === 'live') return frozen(config.upstream, 'STAGE');
  return flag.stage === 'canary' ? null : frozen(fallback, 'STAGE');
}

/** The side of one client in canary: targeting, then the bucket of its key. */
export function splitSide(
  { flag, frozen }: DecidedFeature,
  fallback: string,
  context: EvaluationContext,
): Decision {
  const { upstream, bucketed } = flag.evaluate(context);
  return frozen(upstream ?? fallback, bucketed ? 'BUCKET' : 'TARGETING');
}

/**
 * kill → retired → signed override → stage → key → targeting → bucket. Pure but for the clock it is given. `keyFor` finds the key that decides the
 * side; it is only asked when a share does.
 */
export function decide(
  feature: DecidedFeature,
  fallback: Config['default'],
  asked: Asked,
  overrideKey: string | null,
  now: () => number,
  keyFor: typeof keyOf = keyOf,
): Decision {
  const { config, frozen } = feature;
  const fixed = fixedSide(feature, fallback);
  if (fixed !== null) return fixed;
  const side = overrideKey === null ? null : overriddenSide(feature, fallback, asked, overrideKey, now);
  if (side !== null) return frozen(side, 'OVERRIDE');
  const staged = stagedSide(feature, fallback);
  if (staged !== null) return staged;
  const key = keyFor(config.key, asked);
  if (key === null) return frozen(fallback, 'NO_KEY');
  const context: EvaluationContext = {
    targetingKey: key,
    host: asked.host,
    method: asked.method,
    path: asked.path,
  };
  for (const name of config.context) {
    const value = asked.header(name);
    if (value !== undefined) context[name] = value;
  }
  return splitSide(feature, fallback, context);
}

/**
 * The same for whoever brings the context instead of a request (OFREP, `strangler explain --feature`): all of it is seen by targeting, and its
 * `targetingKey` is the key. There is no override: it is for browsers.
 */
export function decideFor(
  feature: DecidedFeature,
  fallback: Config['default'],
  context: Partial<EvaluationContext>,
): Decision {
  const decided = fixedSide(feature, fallback) ?? stagedSide(feature, fallback);
  if (decided !== null) return decided;
  return context.targetingKey
    ? splitSide(feature, fallback, context as EvaluationContext)
    : feature.frozen(fallback, 'NO_KEY');
}

function overriddenSide(
  feature: DecidedFeature,
  fallback: string,
  asked: Headed,
  key: string,
  now: () => number,
): string | null {
  const { override, upstream } = feature.config;
  if (!override) return null;
  const tokens = [
    override.header && asked.header(override.header),
    override.cookie && cookieValue(asked.header('cookie'), override.cookie),
  ];
  for (const token of tokens) {
    const found = token ? readOverride(token, key, now()) : null;
    if (found?.feature === feature.name && (found.upstream === upstream || found.upstream === fallback))
      return found.upstream;
  }
  return null;
}
