import type { FeatureView } from '../journal/journal.ts';
import type { DecidedFeature } from '../request/decide.ts';
import type { ChangeParts, ChangeRequest } from './change.ts';
import type { Current } from './current.ts';
import { entryOf } from './entry.ts';
import { viewOf } from './view.ts';

/** True when a kill can't go into the flag file: it is managed elsewhere, or broken at the moment. */
export function useStateFolder(current: Current): boolean {
  return !current.snapshot().config.flags.writable || current.status().flags.state === 'rejected';
}

/** Kills in the state folder. */
export function killHere(
  parts: ChangeParts,
  feature: DecidedFeature,
  request: ChangeRequest,
): DecidedFeature {
  const { current } = parts;
  if (feature.killed) return feature;
  return journalled(parts, feature, request, { ...viewOf(feature), state: 'DISABLED' }, () => {
    current.setKills({
      ...current.kills(),
      [feature.name]: { who: request.who, why: request.why, at: new Date(parts.now()).toISOString() },
    });
  });
}

/** Undoes a kill of the state folder. */
export function liftKill(
  parts: ChangeParts,
  feature: DecidedFeature,
  request: ChangeRequest,
): DecidedFeature {
  const { [feature.name]: _, ...rest } = parts.current.kills();
  return journalled(parts, feature, request, { ...viewOf(feature), state: feature.flag.state }, () =>
    parts.current.setKills(rest),
  );
}

/** A change of the state folder: the flag file's version stays. */
function journalled(
  parts: ChangeParts,
  feature: DecidedFeature,
  request: ChangeRequest,
  after: FeatureView,
  act: () => void,
): DecidedFeature {
  const entry = entryOf(parts.now, feature, request, after, feature.flag.fingerprint);
  const version = parts.current.snapshot().flagsVersion;
  parts.journal.append({ kind: 'intent', entry, flags: { before: version, after: version } });
  act();
  parts.journal.append({ kind: 'done', id: entry.id });
  return parts.current.snapshot().features.get(feature.name)!;
}
