import { etagOf, viewOf } from '../flags/view.ts';
import type { Current } from '../flags/current.ts';
import type { DecidedFeature } from '../request/decide.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Ramp } from '../ramp/loop.ts';
import type { FeatureJson } from './protocol.ts';

/** A feature as the API shows it. */
export function featureJson(
  current: Current,
  feature: DecidedFeature,
  ramp: Pick<Ramp, 'view' | 'gates'>,
  counted: Pick<Metrics, 'writes' | 'evaluations'> | null,
): FeatureJson {
  const { config, flag } = feature;
  const view = viewOf(feature);
  const killedHere = Object.hasOwn(current.kills(), feature.name) && flag.state === 'ENABLED';
  return {
    name: feature.name,
    kind: config.kind,
    owner: config.owner,
    stage: flag.stage,
    percent: flag.percent,
    state: view.state as FeatureJson['state'],
    ramp: ramp.view(feature),
    gates: ramp.gates(feature),
    upstream: config.upstream,
    default: current.snapshot().config.default,
    flag: config.flag,
    data: config.data,
    writes:
      config.data === 'moving' && counted
        ? counted.writes.of(feature.name, current.snapshot().config.default, config.upstream).view()
        : null,
    evaluations: counted?.evaluations.of(feature.name) ?? {},
    routes: config.routes.map((route) => route.match),
    drift: killedHere ? 'killed here, in the state folder; the flag file says ENABLED' : null,
    etag: etagOf(feature),
  };
}
