import { Gauge, type Registry } from '@prometheus-io/client';
import type { Feature } from '../ramp/judging.ts';
import type { Ramp } from '../ramp/loop.ts';

const VERDICTS = { pass: 1, notEnough: 0, breach: -1 } as const;
const STATES = ['none', 'running', 'paused', 'latched'] as const;

/** Gates and ramps, read when they are asked for. */
export function registerRamp(
  registry: Registry,
  features: () => readonly Feature[],
  ramp: Pick<Ramp, 'view' | 'gates'>,
): void {
  const registers = [registry];
  new Gauge({
    name: 'strangler_gate',
    help: '1: the gate passes, 0: not enough data, -1: breach',
    labelNames: ['feature', 'metric'],
    registers,
    collect() {
      this.reset();
      for (const feature of features()) {
        // The worst counts where a feature has two gates of one metric.
        const worst = new Map<string, number>();
        for (const { metric, verdict } of ramp.gates(feature))
          worst.set(metric, Math.min(VERDICTS[verdict], worst.get(metric) ?? 1));
        for (const [metric, value] of worst) this.set({ feature: feature.name, metric }, value);
      }
    },
  });
  new Gauge({
    name: 'strangler_ramp_state',
    help: '1 for the state a ramp is in',
    labelNames: ['feature', 'state'],
    registers,
    collect() {
      this.reset();
      for (const feature of features())
        for (const state of STATES)
          this.set({ feature: feature.name, state }, ramp.view(feature).state === state ? 1 : 0);
    },
  });
  new Gauge({
    name: 'strangler_ramp_step',
    help: 'Index of the step the share stands at, from 0; absent between steps',
    labelNames: ['feature'],
    registers,
    collect() {
      this.reset();
      for (const feature of features()) {
        const { step } = ramp.view(feature);
        if (step !== null) this.set({ feature: feature.name }, step);
      }
    },
  });
}
