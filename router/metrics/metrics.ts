import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from '@prometheus-io/client';
import type { Current } from '../flags/current.ts';
import { STAGES } from '../flags/stage.ts';
import type { Observation } from '../forward/plan.ts';
import type { Decision } from '../request/decide.ts';

export interface Metrics {
  observe(observation: Observation): void;
  /** Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** Seconds. Fine around the tens of milliseconds where most answers are, coarse above. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What operators watch, per feature and side. The feature label is empty for traffic that belongs to none. */
export function createMetrics(current: Pick<Current, 'snapshot' | 'status'>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'strangler_requests_total',
    help: 'Requests, by feature, the upstream that was decided on, the one that answered ("router": none did), the reason and the status',
    labelNames: ['feature', 'upstream', 'answered_by', 'reason', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'strangler_request_duration_seconds',
    help: 'From the head read to the last byte of the answer',
    labelNames: ['feature', 'upstream'],
    buckets: BUCKETS,
    registers,
  });
  const failures = new Counter({
    name: 'strangler_upstream_failures_total',
    help: 'Answers the decided upstream did not give, or gave as 5xx, before any fallback',
    labelNames: ['feature', 'upstream', 'failure'],
    registers,
  });
  const aborted = new Counter({
    name: 'strangler_aborted_total',
    help: 'Requests whose client went away or was cut',
    labelNames: ['feature'],
    registers,
  });
  featureGauges(current, registers);

  // Label lookups cost more than counting, so the counter of each combination that occurs is kept.
  const counters = new Map<string, { inc(): void }>();
  const timers = new Map<string, { observe(seconds: number): void }>();
  return {
    observe(observation) {
      const { route, status, answeredBy, own } = observation;
      const decision = (route?.decision ?? null) as Decision | null;
      const feature = decision?.feature ?? '';
      const upstream = route?.upstream ?? '';
      const id = `${feature}\n${upstream}\n${answeredBy}\n${decision?.reason}\n${status}`;
      let counter = counters.get(id);
      if (!counter) {
        counter = requests.labels(
          feature,
          upstream,
          answeredBy ?? 'router',
          decision?.reason ?? 'NO_ROUTE',
          String(status),
        );
        counters.set(id, counter);
      }
      counter.inc();
      const timerId = `${feature}\n${upstream}`;
      let timer = timers.get(timerId);
      if (!timer) timers.set(timerId, (timer = duration.labels(feature, upstream)));
      timer.observe(observation.milliseconds / 1000);
      if (own && (own.failure !== null || own.status >= 500))
        failures.labels(feature, upstream, own.failure ?? '5xx').inc();
      if (observation.aborted) aborted.labels(feature).inc();
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** State that is read when it is asked for, never pushed. */
function featureGauges(current: Pick<Current, 'snapshot' | 'status'>, registers: Registry[]): void {
  new Gauge({
    name: 'strangler_feature_percent',
    help: 'Share of the service in the flag, in percent',
    labelNames: ['feature'],
    registers,
    collect() {
      this.reset();
      for (const [name, feature] of current.snapshot().features)
        if (feature.flag.percent !== null) this.set({ feature: name }, feature.flag.percent);
    },
  });
  new Gauge({
    name: 'strangler_feature_stage',
    help: '1 for the stage a feature is in',
    labelNames: ['feature', 'stage'],
    registers,
    collect() {
      this.reset();
      for (const [name, feature] of current.snapshot().features)
        for (const stage of STAGES) this.set({ feature: name, stage }, feature.flag.stage === stage ? 1 : 0);
    },
  });
  new Gauge({
    name: 'strangler_feature_killed',
    help: '1 while the kill switch of a feature is on',
    labelNames: ['feature'],
    registers,
    collect() {
      this.reset();
      for (const [name, feature] of current.snapshot().features)
        this.set({ feature: name }, feature.killed ? 1 : 0);
    },
  });
  new Gauge({
    name: 'strangler_file_applied',
    help: '1 when the newest text of the file is in force, 0 when it was rejected',
    labelNames: ['file'],
    registers,
    collect() {
      const { config, flags } = current.status();
      this.set({ file: 'config' }, config.state === 'applied' ? 1 : 0);
      this.set({ file: 'flags' }, flags.state === 'applied' ? 1 : 0);
    },
  });
}
