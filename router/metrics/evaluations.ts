import type { Decision } from '../request/decide.ts';
import type { Metric } from './traffic.ts';

/** Evaluations that were answered on the admin port (OFREP), since the start: what a seam has in the place of requests. */
export interface Evaluations {
  note(decision: Decision): void;
  /** Of one feature, by side; a side that was never the answer is absent. */
  of(feature: string): Readonly<Record<string, number>>;
  readonly metric: Metric;
}

export function createEvaluations(): Evaluations {
  /** By feature, then by side and reason. */
  const counts = new Map<string, Map<string, { side: string; reason: string; count: number }>>();
  const metric: Metric = {
    name: 'strangler_evaluations_total',
    help: 'Flags evaluated for applications (OFREP), by feature, side and reason',
    type: 'counter',
    get: async () => ({
      ...metric,
      values: [...counts].flatMap(([feature, all]) =>
        [...all.values()].map(({ side, reason, count }) => ({
          labels: { feature, side, reason },
          value: count,
        })),
      ),
    }),
  };
  return {
    note({ feature, upstream: side, reason }) {
      let all = counts.get(feature);
      if (!all) counts.set(feature, (all = new Map()));
      const id = `${reason} ${side}`;
      const known = all.get(id);
      if (known) known.count++;
      else all.set(id, { side, reason, count: 1 });
    },
    of(feature) {
      const sides: Record<string, number> = {};
      for (const { side, count } of counts.get(feature)?.values() ?? [])
        sides[side] = (sides[side] ?? 0) + count;
      return sides;
    },
    metric,
  };
}
