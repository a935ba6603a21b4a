import type { Current } from '../flags/current.ts';
import type { Journal } from '../journal/journal.ts';
import { quantile } from '../metrics/histogram.ts';
import type { SideWindow } from '../metrics/ring.ts';
import type { Windows } from '../metrics/windows.ts';
import type { Ramp } from '../ramp/loop.ts';
import type { LiveJson } from './protocol.ts';
import { featureJson } from './view.ts';

/** Seconds that a rate is taken over. */
const SECONDS = 10;

export interface LiveParts {
  readonly current: Current;
  readonly journal: Pick<Journal, 'entries'>;
  readonly windows: Pick<Windows, 'between'>;
  readonly ramp: Pick<Ramp, 'view' | 'gates'>;
  readonly instances: () => unknown;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What goes on right now: the state of each feature and what its two sides did in the last whole seconds. */
export function createLive({ current, journal, windows, ramp, instances, now }: LiveParts): () => LiveJson {
  return () => {
    const { config, flags } = current.status();
    // The second that runs is left out: a part of one would look like a fall.
    const to = Math.floor(now() / 1000) * 1000;
    return {
      at: new Date(now()).toISOString(),
      features: [...current.snapshot().features.values()].map((feature) => {
        const { name, stage, percent, state, upstream, ...json } = featureJson(current, feature, ramp);
        const { sides } = windows.between(name, to - SECONDS * 1000, to);
        return {
          name,
          stage,
          percent,
          state,
          ramp: json.ramp,
          gates: json.gates,
          sides: [json.default, upstream].map((side) => sideOf(side, sides[side])),
        };
      }),
      upstreams: instances(),
      config: {
        state: config.state === 'applied' && flags.state === 'applied' ? 'applied' : 'rejected',
        faults: [...config.faults, ...flags.faults],
      },
      journal: journal.entries().at(-1)?.id ?? null,
    };
  };
}

function sideOf(
  upstream: string,
  side: SideWindow | undefined,
): LiveJson['features'][number]['sides'][number] {
  if (!side) return { upstream, rate: 0, errorRate: 0, p50: null, p95: null };
  return {
    upstream,
    rate: side.requests / SECONDS,
    errorRate: side.errors / side.requests,
    p50: quantile(side.histogram, 0.5),
    p95: quantile(side.histogram, 0.95),
  };
}
