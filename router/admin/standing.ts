import type { LiveJson } from './protocol.ts';
import type { AdminParts } from './api.ts';
import { featureJson } from './view.ts';

/** What can be said of the moment without measuring: stages, shares, upstreams, files. The numbers of the sides are null. */
export function standing({
  current,
  journal,
  dataPath,
  now,
}: Pick<AdminParts, 'current' | 'journal' | 'dataPath' | 'now'>): LiveJson {
  const { config, flags } = current.status();
  return {
    at: new Date(now()).toISOString(),
    features: [...current.snapshot().features.values()].map((feature) => {
      const { name, stage, percent, state, ramp, gates = [], ...rest } = featureJson(current, feature);
      return {
        name,
        stage,
        percent,
        state,
        ramp,
        gates,
        sides: [rest.default, rest.upstream].map((upstream) => ({
          upstream,
          rate: null,
          errorRate: null,
          p50: null,
          p95: null,
        })),
      };
    }),
    upstreams: dataPath.instances(),
    config: {
      state: config.state === 'applied' && flags.state === 'applied' ? 'applied' : 'rejected',
      faults: [...config.faults, ...flags.faults],
    },
    journal: journal.entries().at(-1)?.id ?? null,
  };
}
