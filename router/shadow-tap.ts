import type { TapFor } from './plans.ts';
import type { Decision } from './request/decide.ts';
import type { Shadow } from './shadow/shadow.ts';

/** Stages in which both sides are there to be compared. */
const STAGES: readonly string[] = ['shadow', 'canary'];

/** A killed feature's service is left alone; where rows move, the other side refuses a write, and lags behind what a pinned client reads. */
const UNTOLD: readonly Decision['reason'][] = ['KILLED', 'HOME', 'PIN'];

/** Which plans are shadowed. Where deciding, forwarding and shadowing meet, beside the pipeline. */
export function shadowTaps(shadow: Pick<Shadow, 'tapFor'>): TapFor {
  return ({ feature, route }, { stage, reason }, { config }) => {
    const rules = feature.config.shadow;
    if (!rules || rules.sample === 0 || !STAGES.includes(stage) || UNTOLD.includes(reason)) return null;
    return shadow.tapFor({
      feature: feature.name,
      route: route.match,
      service: feature.config.upstream,
      default: config.default,
      rules,
      shadowsWrites: route.shadowWrites === 'isolated',
    });
  };
}
