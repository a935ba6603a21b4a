import type { Current } from '../flags/current.ts';
import { away } from '../flags/etcd-swap.ts';
import type { EtcdSource } from '../flags/etcd-source.ts';
import type { Entry } from './journal.ts';
import { seenFlags } from './watch.ts';

/** How often it begins anew when the flags change meanwhile. */
const ROUNDS = 5;

/**
 * Journals as `by: file` what differs from the last known state of each flag, as `journalFileEdits` does: of several routers that see one edit, the
 * one does it that makes the key first, and only while the flags are still so. Rejects with Problem when etcd does not answer.
 */
export function createEtcdEdits(
  source: EtcdSource,
  current: Current,
  now: () => number,
): () => Promise<void> {
  let turn: Promise<void> = Promise.resolve();

  async function note(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      const { text, revision } = source.newest();
      // What is not applied is not journalled, as with a file.
      if (text === null || text !== current.flagsText()) return;
      if (await noteAll(edits(revision), revision)) return;
      await source.sync(1000);
      current.refresh();
    }
  }

  /** False when the flags are not those any more. */
  async function noteAll(entries: readonly Entry[], revision: number): Promise<boolean> {
    const flagsKey = `${source.prefix}flags`;
    for (const entry of entries) {
      const key = source.journal.keyOf(revision, entry.id);
      const {
        succeeded,
        ranges,
        revision: made,
      } = await source.etcd.txn(
        [
          { key: flagsKey, modified: revision },
          { key, created: 0 },
        ],
        [{ put: key, value: JSON.stringify(entry) }],
        [{ range: key }],
      );
      const [found] = ranges[0]?.keys ?? [];
      if (!succeeded && !found) return false;
      source.journal.take(key, found?.value ?? JSON.stringify(entry), found?.created ?? made);
    }
    return true;
  }

  function edits(revision: number): Entry[] {
    const last = new Map<string, Entry>();
    // What holds in one router's state folder says nothing of the flag.
    for (const entry of source.journal.entries())
      if (entry.router === undefined) last.set(entry.feature, entry);
    return [...seenFlags(current.snapshot())].flatMap(([feature, { view, fingerprint }]) => {
      const known = last.get(feature);
      if (known?.fingerprint === fingerprint) return [];
      return [
        {
          id: `${revision}-${feature}`,
          at: new Date(now()).toISOString(),
          feature,
          action: known ? 'edit' : 'found',
          who: 'file',
          why: known ? 'the flags in etcd were edited' : 'first seen in etcd',
          before: known?.after ?? null,
          after: view,
          fingerprint,
          ungated: false,
          numbers: null,
        },
      ];
    });
  }

  return () =>
    (turn = turn
      .catch(() => undefined)
      .then(note)
      .catch((error: unknown) => {
        throw away(error, 'an edit by hand could not be journalled, so nothing was changed');
      }));
}
