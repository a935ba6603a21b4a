import type { Snapshot } from '../flags/snapshot.ts';
import { viewOf } from '../flags/view.ts';
import type { FeatureWindow, Windows } from '../metrics/windows.ts';
import { judge, judgeBreaker, type GateConfig, type GateResult } from './gate.ts';
import { advance, hasNoBaseline, type Progress } from './progress.ts';
import { evidenceOf, headOf, without } from './spans.ts';
import type { RampStore } from './store.ts';

export type Feature = Snapshot['features'] extends ReadonlyMap<string, infer Of> ? Of : never;

export interface JudgingParts {
  readonly snapshot: () => Snapshot;
  readonly windows: Pick<Windows, 'compared'>;
  readonly silent?: () => readonly string[];
  readonly store: Pick<RampStore, 'read'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface Judging {
  /** The step a feature is in; a new one begins when it is first asked for. */
  follow(feature: Feature): Progress;
  readonly progress: ReadonlyMap<string, Progress>;
  /** What the gates of these metrics say now, and the breaker with those that count errors. */
  ask(feature: Feature, metrics: readonly GateConfig['metric'][]): readonly GateResult[];
  /** What all gates said at the last look at this step. */
  gates(feature: Feature): readonly GateResult[];
  /** The same, asked anew. */
  lookAgain(feature: Feature): readonly GateResult[];
}

export const METRICS = ['parity', 'errorRate', 'p95'] as const;

/** Knows in which step each feature is, and asks its gates about that step's window. It changes nothing. */
export function createJudging(parts: JudgingParts): Judging {
  const { now } = parts;
  const progress = new Map<string, Progress>();
  const heads = new Map<string, FeatureWindow>();
  const looks = new Map<string, { readonly at: Progress; readonly results: readonly GateResult[] }>();
  let stored: Map<string, Progress> | null = null;

  function sidesOf(feature: Feature): { feature: string; candidate: string; baseline: string } {
    const baseline = parts.snapshot().config.default;
    return { feature: feature.name, candidate: feature.config.upstream, baseline };
  }

  function follow(feature: Feature): Progress {
    const { name, config, flag, killed } = feature;
    stored ??= parts.store.read();
    const last = progress.get(name) ?? stored.get(name) ?? null;
    const step = { stage: flag.stage, percent: flag.percent, killed, ramp: viewOf(feature).ramp };
    const enough = Math.max(0, ...config.gates.map(({ samples }) => samples));
    const next = advance(last, step, now(), enough, (from) => {
      const { baseline } = sidesOf(feature);
      const side = parts.windows.compared(name, from, now()).sides[baseline] ?? null;
      return without(side, heads.get(name)?.sides[baseline]);
    });
    if (next.from !== last?.from) heads.set(name, headOf(parts.windows, name, next.from));
    progress.set(name, next);
    return next;
  }

  function ask(feature: Feature, wanted: readonly GateConfig['metric'][]): readonly GateResult[] {
    const at = follow(feature);
    const kept = hasNoBaseline(at) ? at.kept : null;
    const evidence = evidenceOf(
      parts.windows,
      sidesOf(feature),
      at.from,
      now(),
      kept,
      heads.get(feature.name),
    );
    const breaker = wanted.includes('errorRate') ? judgeBreaker(evidence) : null;
    const gates = feature.config.gates.filter(({ metric }) => wanted.includes(metric));
    const results = [...(breaker ? [breaker] : []), ...gates.map((gate) => judge(gate, evidence))];
    const silent = parts.silent?.() ?? [];
    if (silent.length === 0) return results;
    return results.map((result) => ({
      ...result,
      text: `${result.text}; nothing is heard of ${silent.join(', ')}`,
    }));
  }

  function gates(feature: Feature): readonly GateResult[] {
    const at = follow(feature);
    const known = looks.get(feature.name);
    // What was said of another step says nothing of this one.
    if (known?.at.from === at.from) return known.results;
    const { config } = feature;
    const found = config.gates.length > 0 || config.ramp ? ask(feature, METRICS) : [];
    looks.set(feature.name, { at, results: found });
    return found;
  }

  return {
    follow,
    progress,
    ask,
    gates,
    lookAgain(feature) {
      looks.delete(feature.name);
      return gates(feature);
    },
  };
}
