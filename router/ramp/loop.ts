import type { ChangeRequest, Action } from '../flags/change.ts';
import type { Snapshot } from '../flags/snapshot.ts';
import type { Stage } from '../flags/stage.ts';
import { etagOf, viewOf } from '../flags/view.ts';
import type { Journal } from '../journal/journal.ts';
import type { Windows } from '../metrics/windows.ts';
import type { GateConfig, GateResult } from './gate.ts';
import { METRICS, createJudging, type Feature } from './judging.ts';
import type { Leader } from './leader.ts';
import type { Progress } from './progress.ts';
import { eventOf, nextRamp, stepAbove, stepBelow, stepIndex, type RampState } from './ramp.ts';
import type { RampStore } from './store.ts';
import { rampText } from './text.ts';

export interface RampParts {
  readonly snapshot: () => Snapshot;
  readonly journal: Pick<Journal, 'entries'>;
  readonly windows: Pick<Windows, 'compared'>;
  /** Routers whose windows are missing, for the verdicts to name. */
  readonly silent?: () => readonly string[];
  /** The one way to change a flag. Rejects when the change is refused. */
  readonly change: (request: ChangeRequest) => Promise<unknown>;
  readonly store: RampStore;
  readonly leader: Leader;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: {
    info(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

/** A ramp as the API shows it. Times are ISO 8601, UTC. */
export interface RampView {
  readonly state: RampState;
  /** Index of the step the share stands at; null between steps. */
  readonly step: number | null;
  readonly percent: number | null;
  /** When the step began. */
  readonly since: string;
  /** When the hold of the step is over; null when nothing is held. */
  readonly holdUntil: string | null;
  /** What it does, or waits for. */
  readonly text: string;
}

export interface Ramp {
  /** Looks at every feature, and moves those that run; not while an earlier look still moves one. Never rejects. */
  tick(): Promise<void>;
  view(feature: Feature): RampView;
  /** What the gates said at the last look. */
  gates(feature: Feature): readonly GateResult[];
  /** What the gates before a stage say now; empty when there are none. */
  askBefore(stage: Stage, feature: Feature): readonly GateResult[];
  start(): { close(): void };
}

/** Milliseconds between two looks. */
const EVERY = 1000;
/** Milliseconds for which the same complaint is not logged again. */
const QUIET = 60_000;

/** Asks the gates once a second and moves the running ramps through the one way to change a flag. Serving never waits for it and never needs it. */
export function createRamp(parts: RampParts): Ramp {
  const { now, log } = parts;
  const judging = createJudging(parts);
  const complaints = new Map<string, number>();
  const written = new Map<string, Progress>();
  let isLooking = false;

  function complain(feature: string, error: unknown): void {
    const key = `${feature}: ${(error as Error).message}`;
    if (now() - (complaints.get(key) ?? -Infinity) < QUIET) return;
    complaints.set(key, now());
    log.error({ err: error, feature }, 'the ramp failed; serving goes on, and it tries again');
  }

  async function act(feature: Feature, action: Action, why: string): Promise<void> {
    const { name: of } = feature;
    try {
      await parts.change({ feature: of, action, ifMatch: etagOf(feature), who: 'ramp', why });
      log.info({ feature: of, action: action.kind, why }, 'the ramp moved');
    } catch (error) {
      // Somebody was faster: what they did counts, and the next look starts from there.
      if ((error as { code?: unknown }).code !== 'STALE') throw error;
    }
  }

  async function move(feature: Feature, at: Progress, results: readonly GateResult[]): Promise<void> {
    const { ramp } = feature.config;
    const { percent, stage } = feature.flag;
    if (!ramp || viewOf(feature).ramp !== 'running' || stage !== 'canary' || percent === null) return;
    if (feature.killed) return;
    if (wasEditedByHand(parts.journal, feature.name))
      return await act(feature, { kind: 'pause' }, 'the flag file was edited by hand while the ramp ran');
    const { hold, onBreach, steps } = ramp;
    const verdicts = results.map(({ verdict }) => verdict);
    const event = eventOf({ percent, heldFor: now() - at.from, hold, onBreach, verdicts });
    const next = nextRamp('running', event);
    const breaches = results.filter(({ verdict }) => verdict === 'breach').map(({ text }) => text);
    if (next.move === 'stepBack')
      return await act(
        feature,
        { kind: 'stepBack', percent: stepBelow(steps, percent), numbers: results },
        breaches.join('; '),
      );
    if (next.state === 'paused')
      return await act(feature, { kind: 'pause', numbers: results }, breaches.join('; '));
    const to = next.move === 'stepUp' ? stepAbove(steps, percent) : null;
    if (to === null) return;
    const why =
      percent === 0
        ? 'the first step'
        : `${percent} % was held for ${Math.round((now() - at.from) / 1000)} s and ${results.length === 0 ? 'there are no gates' : 'every gate passes'}`;
    await act(feature, { kind: 'step', percent: to, numbers: results.length === 0 ? null : results }, why);
  }

  async function look(feature: Feature, leads: boolean): Promise<void> {
    const found = judging.lookAgain(feature);
    if (!leads) return;
    await move(feature, judging.follow(feature), found);
    // A step begins when it is taken, not when it is seen.
    const moved = judging.follow(parts.snapshot().features.get(feature.name) ?? feature);
    if (written.get(feature.name) === moved) return;
    parts.store.write(judging.progress);
    written.set(feature.name, moved);
  }

  const self: Ramp = {
    async tick() {
      if (isLooking) return;
      isLooking = true;
      try {
        const leads = parts.leader.lead();
        for (const feature of parts.snapshot().features.values()) {
          try {
            await look(feature, leads);
          } catch (error) {
            complain(feature.name, error);
          }
        }
      } catch (error) {
        complain('', error);
      } finally {
        isLooking = false;
      }
    },
    view(feature) {
      const { ramp } = feature.config;
      const { state, stage, percent } = { ...viewOf(feature), stage: feature.flag.stage };
      const at = judging.follow(feature);
      const isHeld = ramp && viewOf(feature).ramp === 'running' && stage === 'canary' && state === 'ENABLED';
      const isLast = ramp && percent !== null && stepAbove(ramp.steps, percent) === null;
      const holdUntil = isHeld && !isLast && percent ? at.from + ramp.hold : null;
      return {
        state: viewOf(feature).ramp as RampState,
        step: ramp ? stepIndex(ramp.steps, percent) : null,
        percent,
        since: new Date(at.since).toISOString(),
        holdUntil: holdUntil === null ? null : new Date(holdUntil).toISOString(),
        text: rampText(feature, judging.gates(feature), holdUntil, now(), parts.journal),
      };
    },
    gates: judging.gates,
    askBefore: (stage, feature) =>
      feature.config.gates.length === 0 ? [] : judging.ask(feature, BEFORE[stage]),
    start() {
      void self.tick();
      const timer = setInterval(() => void self.tick(), EVERY);
      return {
        close() {
          clearInterval(timer);
          parts.leader.release();
        },
      };
    },
  };
  return self;
}

/** Gates before each stage. Before canary nobody was on the service, so only parity can be known; retiring has a gate of its own. */
const BEFORE: Readonly<Record<Stage, readonly GateConfig['metric'][]>> = {
  off: [],
  shadow: [],
  canary: ['parity'],
  live: METRICS,
  retired: [],
};

/** An edit that found the ramp running and left it so: the person may not know that it runs. Starting it by hand is another thing. */
function wasEditedByHand(journal: Pick<Journal, 'entries'>, feature: string): boolean {
  const last = journal.entries().findLast((entry) => entry.feature === feature);
  return (
    last?.who === 'file' &&
    last.action === 'edit' &&
    last.before?.ramp === 'running' &&
    last.after.ramp === 'running'
  );
}
