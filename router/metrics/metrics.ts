import { Gauge, Registry, type Counter } from '@prometheus-io/client';
import type { Current } from '../flags/current.ts';
import { STAGES } from '../flags/stage.ts';
import { createCounters, type Counters } from './counters.ts';
import { createEvaluations, type Evaluations } from './evaluations.ts';
import { processMetrics } from './process.ts';
import type { Metric } from './traffic.ts';

export interface Metrics extends Counters {
  /** Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
  /** Adds metrics that are read when they are asked for. */
  show(metrics: readonly Metric[]): void;
  /** Of flags, for applications; counted where the admin port is. */
  readonly evaluations: Evaluations;
  /** Where others add what they show. */
  readonly registry: Registry;
}

/** What operators watch, per feature and side. The feature label is empty for traffic that belongs to none. */
export function createMetrics(current: Pick<Current, 'snapshot' | 'status'>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  processMetrics(registry);
  const counters = createCounters(registry);
  featureGauges(current, registers);
  const evaluations = createEvaluations();
  registry.registerMetric(evaluations.metric as unknown as Counter);

  return {
    ...counters,
    evaluations,
    text: () => registry.metrics(),
    contentType: registry.contentType,
    registry,
    show(metrics) {
      // The library's type wants its own classes; what it calls is `name` and `get`.
      for (const metric of metrics) registry.registerMetric(metric as unknown as Counter);
    },
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
  new Gauge({
    name: 'strangler_flags_stale',
    help: '1 while the source of the flags is not heard of, and the last known ones serve',
    registers,
    collect() {
      this.set(current.status().flags.stale ? 1 : 0);
    },
  });
}
