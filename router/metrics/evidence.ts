import { join } from 'node:path';
import { readText, replaceFile } from '../flags/file.ts';
import type { Observation } from '../forward/plan.ts';
import type { Journal } from '../journal/journal.ts';
import type { DecidedFeature, Decision } from '../request/decide.ts';

export interface Evidence {
  observe(observation: Observation, defaultUpstream: string): void;
  /** Why the feature can't be retired yet; null when it can. */
  retireRefusal(feature: DecidedFeature): string | null;
  flush(): void;
}

/**
 * When the default upstream last answered a feature's route: retiring is promising that nobody needs it any more, and the promise wants
 * proof. Kept in the state folder, so that a restart doesn't forget. `flush` is called now and then; a crash in between loses
 * seconds of an evidence that is about days.
 */
export function createEvidence(
  stateDir: string,
  journal: Pick<Journal, 'entries'>,
  now: () => number,
): Evidence {
  const path = join(stateDir, 'evidence.json');
  const found = readText(path);
  const lastDefault = new Map<string, number>(
    Object.entries('text' in found ? (JSON.parse(found.text) as Record<string, number>) : {}),
  );
  let isDirty = false;
  return {
    observe(observation, defaultUpstream) {
      const decision = (observation.route?.decision ?? null) as Decision | null;
      if (!decision || observation.answeredBy !== defaultUpstream) return;
      lastDefault.set(decision.feature, now());
      isDirty = true;
    },
    retireRefusal({ name, config }) {
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
