import { Counter, type Registry } from '@prometheus-io/client';
import type { Observation } from '../forward/plan.ts';
import type { Decision } from '../request/decide.ts';
import type { Reporter } from './reporter.ts';
import { createTally } from './tally.ts';
import { createTraffic } from './traffic.ts';
import { createWrites, type Writes } from './writes.ts';

export interface Counters {
  observe(observation: Observation): void;
  /** Writes of rows that move: their homes, and what was counted. */
  readonly writes: Writes;
  /** For counting in one process and showing in another. */
  readonly reporters: readonly Reporter[];
}

/** What is counted of each request. */
export function createCounters(registry: Registry): Counters {
  const registers = [registry];
  const traffic = createTraffic();
  // The library's type wants its own classes; what it calls is `name` and `get`.
  const writes = createWrites();
  for (const metric of [...traffic.metrics, ...writes.metrics])
    registry.registerMetric(metric as unknown as Counter);
  const failures = createTally(
    new Counter({
      name: 'strangler_upstream_failures_total',
      help: 'Answers the decided upstream did not give, or gave as 5xx, before any fallback',
      labelNames: ['feature', 'upstream', 'failure'],
      registers,
    }),
    'failures',
  );
  const aborted = createTally(
    new Counter({
      name: 'strangler_aborted_total',
      help: 'Requests whose client went away or was cut',
      labelNames: ['feature'],
      registers,
    }),
    'aborted',
  );
  return {
    writes,
    reporters: [traffic, failures, aborted, writes],
    observe(observation) {
      traffic.observe(observation);
      const { route, own } = observation;
      const feature = ((route?.decision ?? null) as Decision | null)?.feature ?? '';
      if (own && (own.failure !== null || own.status >= 500))
        failures.inc(feature, route?.upstream ?? '', own.failure ?? '5xx');
      if (observation.aborted) aborted.inc(feature);
    },
  };
}
