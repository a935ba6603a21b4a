import { join } from 'node:path';
import { readText, replaceFile } from '../flags/file.ts';
import type { Observation } from '../forward/plan.ts';
import type { Journal } from '../journal/journal.ts';
import type { DecidedFeature, Decision } from '../request/decide.ts';
import type { Reporter } from './reporter.ts';

export interface Evidence {
  /** Why the feature can't be retired yet; null when it can. */
  retireRefusal(feature: DecidedFeature): string | null;
  flush(): void;
}

/** When the default upstream last answered, as other machines know it. */
export interface EvidenceElsewhere {
  known(): Readonly<Record<string, number>>;
  /** Tells what is known here. */
  tell(times: Readonly<Record<string, number>>): void;
}

/** Features that the default upstream has answered lately, each with the time (milliseconds since the epoch). */
export interface DefaultAnswers extends Reporter {
  observe(observation: Observation, defaultUpstream: string): void;
  take(): Readonly<Record<string, number>>;
}

/** Notes when the default upstream answers a feature's route: at the latest when it is asked, for the clock is not worth reading with every request. */
export function createDefaultAnswers(now: () => number): DefaultAnswers {
  const answered = new Set<string>();
  const heard = new Map<string, number>();
  return {
    name: 'evidence',
    observe(observation, defaultUpstream) {
      const decision = (observation.route?.decision ?? null) as Decision | null;
      if (decision && observation.answeredBy === defaultUpstream) answered.add(decision.feature);
    },
    take() {
      for (const feature of answered) heard.set(feature, now());
      const taken = Object.fromEntries(heard);
      answered.clear();
      heard.clear();
      return taken;
    },
    add(delta) {
      for (const [feature, at] of Object.entries(delta as Record<string, number>))
        heard.set(feature, Math.max(at, heard.get(feature) ?? 0));
    },
  };
}

/**
 * When the default upstream last answered a feature's route: retiring is promising that nobody needs it any more, and the promise wants
 * proof. Kept in the state folder, so that a restart doesn't forget. `flush` is called now and then; a crash in between loses
 * seconds of an evidence that is about days.
 */
export function createEvidence(
  stateDir: string,
  journal: Pick<Journal, 'entries'>,
  answers: Pick<DefaultAnswers, 'take'>,
  now: () => number,
  elsewhere: EvidenceElsewhere | null = null,
): Evidence {
  const path = join(stateDir, 'evidence.json');
  const lastDefault = new Map<string, number>();
  let isDirty = false;
  const read = (): Record<string, number> => {
    const found = readText(path);
    return 'text' in found ? (JSON.parse(found.text) as Record<string, number>) : {};
  };
  function add(times: Readonly<Record<string, number>>): void {
    for (const [feature, at] of Object.entries(times))
      lastDefault.set(feature, Math.max(at, lastDefault.get(feature) ?? 0));
  }
  function collect(): void {
    const fresh = answers.take();
    isDirty ||= Object.keys(fresh).length > 0;
    add(fresh);
    if (elsewhere) add(elsewhere.known());
    try {
      // Another router on this folder, such as the one before that drains, has seen what we have not.
      add(read());
    } catch {
      // Broken by hand: what is known stays.
    }
  }
  add(read());
  return {
    retireRefusal({ name, config }) {
      collect();
      const live = journal
        .entries()
        .findLast(
          (entry) => entry.feature === name && entry.after.stage === 'live' && entry.before?.stage !== 'live',
        );
      const since = Math.max(live ? Date.parse(live.at) : now(), lastDefault.get(name) ?? 0);
      const quiet = now() - since;
      if (quiet >= config.retire.after) return null;
      return `the default upstream last answered ${name} ${days(quiet)} ago (or it went live then); retiring needs ${days(config.retire.after)} without (retire.after)`;
    },
    flush() {
      collect();
      elsewhere?.tell(Object.fromEntries(lastDefault));
      if (!isDirty) return;
      isDirty = false;
      replaceFile(path, JSON.stringify(Object.fromEntries(lastDefault)), 0o600);
    },
  };
}

function days(milliseconds: number): string {
  return milliseconds < 86_400_000
    ? `${(milliseconds / 3_600_000).toFixed(1)} h`
    : `${(milliseconds / 86_400_000).toFixed(1)} days`;
}
