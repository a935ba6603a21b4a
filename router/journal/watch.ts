import { randomUUID } from 'node:crypto';
import type { Snapshot } from '../flags/snapshot.ts';
import { viewOf } from '../flags/view.ts';
import type { FeatureView, Journal } from './journal.ts';

/** A feature as it is now. */
export interface Seen {
  readonly view: FeatureView;
  readonly fingerprint: string;
}

/** The features as they are here, kills in the state folder included. */
export function seenFeatures(snapshot: Snapshot): Map<string, Seen> {
  return new Map(
    [...snapshot.features].map(([name, feature]) => [
      name,
      { view: viewOf(feature), fingerprint: feature.flag.fingerprint },
    ]),
  );
}

/** The features as their flags say. */
export function seenFlags(snapshot: Snapshot): Map<string, Seen> {
  return new Map(
    [...snapshot.features].map(([name, feature]) => [
      name,
      {
        view: viewOf({ ...feature, killed: feature.flag.state === 'DISABLED' }),
        fingerprint: feature.flag.fingerprint,
      },
    ]),
  );
}

const isSame = (a: FeatureView, b: FeatureView): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * Ends what a crash left half-said: an intent whose change is in force was made, any other was not. `versionNow` is that of the flag
 * file; `seen` are the features as they are now.
 */
export function settleIntents(journal: Journal, versionNow: string, seen: ReadonlyMap<string, Seen>): void {
  for (const { entry, flags } of journal.open()) {
    const now = seen.get(entry.feature);
    const made =
      flags.after === versionNow && flags.before !== versionNow
        ? true
        : now !== undefined && isSame(now.view, entry.after) && now.fingerprint === entry.fingerprint;
    journal.append(
      made
        ? { kind: 'done', id: entry.id }
        : { kind: 'aborted', id: entry.id, reason: 'the router ended before the change was made' },
    );
  }
}

/**
 * Journals as `by: file` what differs from the last known state of each feature: an edit by hand is a change too, also one made while
 * no router ran. What another router on the same files has done, or is about to say that it has, is no edit by hand.
 */
export function journalFileEdits(journal: Journal, seen: ReadonlyMap<string, Seen>, now: number): void {
  const last = new Map(journal.entries().map((entry) => [entry.feature, entry]));
  for (const [feature, { view, fingerprint }] of seen) {
    const known = last.get(feature);
    if (known && isSame(known.after, view) && known.fingerprint === fingerprint) continue;
    const isAnothers = journal
      .open()
      .some(
        ({ entry }) =>
          entry.feature === feature && isSame(entry.after, view) && entry.fingerprint === fingerprint,
      );
    if (isAnothers) continue;
    const entry = {
      id: randomUUID(),
      at: new Date(now).toISOString(),
      feature,
      action: known ? 'edit' : 'found',
      who: 'file',
      why: known ? 'the flag file was edited' : 'first seen in the flag file',
      before: known?.after ?? null,
      after: view,
      fingerprint,
      ungated: false,
      numbers: null,
    };
    journal.append({ kind: 'intent', entry, flags: { before: '', after: '' } });
    journal.append({ kind: 'done', id: entry.id });
  }
}
