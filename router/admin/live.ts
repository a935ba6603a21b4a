import type { Current } from '../flags/current.ts';
import type { Journal } from '../journal/journal.ts';
import { quantile } from '../metrics/histogram.ts';
import type { SideWindow } from '../metrics/ring.ts';
import type { Windows } from '../metrics/windows.ts';
import type { Moves } from '../moves/moves.ts';
import type { Ramp } from '../ramp/loop.ts';
import { summaryOf } from './moves.ts';
import type { HistoryJson, LiveJson, SideJson } from './protocol.ts';
import { featureJson } from './view.ts';

/** Seconds that a rate is taken over. */
const SECONDS = 10;
/** Seconds that the history reaches back, and between two of its moments. */
const REACH = 300;
const STEP = 5;

export interface LiveParts {
  readonly current: Current;
  readonly journal: Pick<Journal, 'history'>;
  readonly windows: Pick<Windows, 'between'>;
  readonly ramp: Pick<Ramp, 'view' | 'gates'>;
  readonly moves: Pick<Moves, 'all'>;
  readonly instances: () => unknown;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface Live {
  /** What goes on right now: the state of each feature and what its two sides did in the last whole seconds. */
  now(): LiveJson;
  history(): HistoryJson;
}

export function createLive({ current, journal, windows, ramp, moves, instances, now }: LiveParts): Live {
  /** The second that runs is left out: a part of one would look like a fall. */
  const lastSecond = (): number => Math.floor(now() / 1000) * 1000;

  function live(): LiveJson {
    const { config, flags } = current.status();
    const to = lastSecond();
    return {
      at: new Date(now()).toISOString(),
      features: [...current.snapshot().features.values()].map((feature) => {
        const { name, stage, percent, state, upstream, ...json } = featureJson(current, feature, ramp, null);
        const { sides } = windows.between(name, to - SECONDS * 1000, to);
        return {
          name,
          stage,
          percent,
          state,
          ramp: json.ramp,
          gates: json.gates,
          sides: [json.default, upstream].map((side) => sideOf(side, sides[side], SECONDS)),
        };
      }),
      moves: moves.all().map(summaryOf),
      upstreams: instances(),
      config: {
        state: config.state === 'applied' && flags.state === 'applied' ? 'applied' : 'rejected',
        faults: [...config.faults, ...flags.faults],
        stale: flags.stale,
      },
      journal: journal.history().at(-1)?.id ?? null,
    };
  }

  function history(): HistoryJson {
    const end = lastSecond();
    const { features, config } = current.snapshot();
    const moments = [...Array(REACH / STEP).keys()].map((index) => {
      const to = end - REACH * 1000 + (index + 1) * STEP * 1000;
      return {
        at: new Date(to).toISOString(),
        features: [...features.values()].map(({ name, config: { upstream } }) => {
          const { sides } = windows.between(name, to - STEP * 1000, to);
          return {
            name,
            sides: [config.default, upstream].map((side) => sideOf(side, sides[side], STEP)),
          };
        }),
      };
    });
    return { moments };
  }

  return { now: live, history };
}

function sideOf(upstream: string, side: SideWindow | undefined, seconds: number): SideJson {
  if (!side) return { upstream, rate: 0, errorRate: 0, p50: null, p95: null };
  return {
    upstream,
    rate: side.requests / seconds,
    errorRate: side.errors / side.requests,
    p50: quantile(side.histogram, 0.5),
    p95: quantile(side.histogram, 0.95),
  };
}
