import type { FeatureView } from '../journal/journal.ts';
import type { DecidedFeature } from '../request/decide.ts';
import { hash } from './snapshot.ts';

/** Stage, percent, state and ramp: what the API shows, the journal records and the ETag stands for. */
export function viewOf(feature: DecidedFeature): FeatureView {
  const { flag, config, killed } = feature;
  return {
    stage: flag.stage,
    percent: flag.percent,
    state: killed ? 'DISABLED' : 'ENABLED',
    ramp: config.ramp ? (flag.ramp ?? 'paused') : 'none',
  };
}

export function etagOf(feature: DecidedFeature): string {
  return `"${hash(JSON.stringify([viewOf(feature), feature.flag.fingerprint]))}"`;
}
