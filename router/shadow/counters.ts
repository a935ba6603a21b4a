import type { Metric } from '../metrics/traffic.ts';
import type { Parity } from './parity.ts';

/** The counters of shadowing for Prometheus, read when they are asked for. */
export function createCounters(parity: Pick<Parity, 'features' | 'of'>): readonly Metric[] {
  return [
    counter(
      'strangler_shadow_total',
      "Comparisons of the two sides' answers, by feature and result",
      'result',
      (feature) => parity.of(feature).counts,
    ),
    counter(
      'strangler_shadow_dropped_total',
      'Sampled requests that were not compared, by feature and why',
      'reason',
      (feature) => parity.of(feature).dropped,
    ),
  ];

  function counter(
    name: string,
    help: string,
    label: string,
    counts: (feature: string) => Readonly<Record<string, number | undefined>>,
  ): Metric {
    const values = (): { labels: Record<string, string>; value: number }[] =>
      parity.features().flatMap((feature) =>
        Object.entries(counts(feature)).map(([key, value = 0]) => ({
          labels: { feature, [label]: key },
          value,
        })),
      );
    const self: Metric = { name, help, type: 'counter', get: async () => ({ ...self, values: values() }) };
    return self;
  }
}
