import { createEtcd, endOf, type Etcd, type KeyValue, type Range } from '../etcd/client.ts';
import { EtcdError } from '../etcd/post.ts';
import { watchPrefix } from '../etcd/watch.ts';
import { createEtcdJournal, KEPT, type EtcdJournal } from '../journal/etcd-journal.ts';
import { routerName } from '../metrics/peers.ts';
import { keptFlags } from './kept.ts';
import type { FlagSource, Stale, Swap } from './source.ts';
import { away, swapInEtcd } from './etcd-swap.ts';

/** The flags of several routers, in one key, beside their journal. */
export interface EtcdSource extends FlagSource {
  readonly etcd: Etcd;
  readonly prefix: string;
  readonly journal: EtcdJournal;
  /** What this router is called among the others. */
  readonly me: string;
  /** The key's newest value that is known, with the revision at which it was written; null: there is no such key. */
  newest(): { readonly text: string | null; readonly revision: number };
  close(): void;
}

export interface EtcdSourceOptions {
  readonly urls: readonly string[];
  readonly prefix: string;
  readonly stateDir: string;
  /** What the key is made from when it is missing; null: it is not made. */
  readonly seed: () => string | null;
  readonly now: () => number;
}

/** How long a start waits for etcd, in milliseconds, before it goes on with what was kept. */
const START = 2500;
/** The longest a change waits for one that has not answered for a while, in milliseconds. */
const UNHEARD = 1000;
/** Entries that are read at once. */
const PAGE = 1000;

/**
 * Follows the flags in etcd. Starts with what they are there, else, without an answer, with what the state folder has kept, and stale. Rejects with
 * EtcdError when it has neither.
 */
export async function openEtcdSource(options: EtcdSourceOptions): Promise<EtcdSource> {
  const { urls, prefix, now } = options;
  const etcd = createEtcd({ urls });
  const flagsKey = `${prefix}flags`;
  const journalPrefix = `${prefix}journal/`;
  const me = routerName();
  const keeper = keptFlags(options.stateDir, prefix);
  const kept = keeper.read();
  let newest: { text: string | null; revision: number } = { text: kept?.text ?? null, revision: 0 };
  /** What was the newest when all was about to be read: another one since then may be newer than what was read. */
  let beforeReading = newest;
  let stale: Stale | null = null;
  let written = '';
  const listeners = new Set<() => void>();
  const journal = createEtcdJournal({
    etcd,
    prefix: journalPrefix,
    stateDir: options.stateDir,
    revision: () => newest.revision,
    me,
  });

  function take(found: { text: string | null; revision: number }): void {
    if (found.revision <= newest.revision) return;
    newest = found;
    for (const listener of listeners) listener();
  }

  /** Flags and journal as of one revision. */
  async function readAll(deadline: number): Promise<{ keys: readonly KeyValue[]; revision: number }> {
    beforeReading = newest;
    journal.reading();
    const flags = await etcd.range(flagsKey, {}, { deadline });
    const { revision } = flags;
    const keys = [...flags.keys];
    for (let end = endOf(journalPrefix); keys.length < KEPT;) {
      const page: Range = await etcd.range(
        journalPrefix,
        { end, limit: PAGE, order: 'descending', revision },
        { deadline },
      );
      keys.push(...page.keys);
      if (page.keys.length < PAGE) break;
      end = page.keys.at(-1)!.key;
    }
    return { keys, revision };
  }

  function takeAll(keys: readonly KeyValue[], revision: number): void {
    journal.replace(keys.filter(({ key }) => key !== flagsKey));
    const flags = keys.find(({ key }) => key === flagsKey);
    const found = { text: flags?.value ?? null, revision: flags?.modified ?? revision };
    // What is there counts, also when it is older than what was known: then data were lost there.
    const isNewer = newest !== beforeReading && newest.revision > found.revision;
    const counts = isNewer ? newest : found;
    newest = { text: null, revision: 0 };
    take(counts);
  }

  let from: number | undefined;
  try {
    let first = await readAll(START);
    if (!first.keys.some(({ key }) => key === flagsKey)) {
      // What served here last is newer than what the file says.
      const text = kept?.text ?? options.seed();
      if (text !== null) {
        await etcd.txn([{ key: flagsKey, created: 0 }], [{ put: flagsKey, value: text }]);
        first = await readAll(START);
      }
    }
    takeAll(first.keys, first.revision);
    from = first.revision;
    void journal.send();
  } catch (error) {
    if (!(error instanceof EtcdError) || kept === null) {
      etcd.close();
      throw error;
    }
    stale = { since: new Date(now()).toISOString(), why: error.message };
  }

  const watching = watchPrefix({
    etcd,
    prefix: flagsKey,
    end: endOf(journalPrefix),
    ...(from === undefined ? {} : { from }),
    read: () => readAll(START),
    onRead: takeAll,
    onChanges(changes) {
      for (const { kind, key, value, created } of changes)
        if (key.startsWith(journalPrefix))
          if (kind === 'put') journal.take(key, value, created);
          else journal.drop(key);
      const flags = changes.findLast(({ key }) => key === flagsKey);
      if (flags) take({ text: flags.kind === 'put' ? flags.value : null, revision: flags.modified });
    },
    onContact(trouble) {
      stale = trouble === null ? null : { since: new Date(now()).toISOString(), why: trouble };
      if (trouble !== null) return;
      void journal.send();
      for (const listener of listeners) listener();
    },
  });

  return {
    etcd,
    prefix,
    journal,
    me,
    name: `etcd ${flagsKey}`,
    newest: () => newest,
    read: () =>
      newest.text === null
        ? {
            missing: `is missing at ${urls.join(', ')}; restart a router, which puts the last good flags back`,
          }
        : { text: newest.text },
    kept: () => (kept === null ? [] : [kept.text]),
    async sync(patience) {
      const deadline = stale === null ? patience : Math.min(patience, UNHEARD);
      // What was decided on newer flags than ours has a greater key than what was decided on ours.
      const newer = journal.keyOf(newest.revision, '');
      const { ranges, revision } = await etcd
        .txn([], [{ range: flagsKey }, { range: newer, options: { end: endOf(journalPrefix) } }], [], {
          deadline,
        })
        .catch((error: unknown) => {
          throw away(error, `${flagsKey} can't be read, so nothing was changed; kill works all the same`);
        });
      for (const { key, value, created } of ranges[1]!.keys) journal.take(key, value, created);
      const [flags] = ranges[0]!.keys;
      take({ text: flags?.value ?? null, revision: flags?.modified ?? revision });
    },
    async swap(swap: Swap) {
      if (newest.text !== swap.before) return false;
      const made = await swapInEtcd({ etcd, flagsKey, journal, at: newest.revision, swap });
      if ('revision' in made) take({ text: made.text, revision: made.revision });
      if (made.kind === 'unmade')
        throw away(made.error, 'the change was not made; the kill switch works all the same');
      if (made.kind === 'unknown')
        throw away(
          made.error,
          `whether the change was made is not known: if so, it is in the journal as ${swap.entry.id} when etcd is back`,
        );
      if (made.kind === 'made') void journal.trim();
      return made.kind === 'made';
    },
    stale: () => stale,
    watch(changed) {
      listeners.add(changed);
      return { close: () => void listeners.delete(changed) };
    },
    applied(text) {
      const { revision } = newest;
      if (text !== newest.text || stale !== null || written === `${revision} ${text}`) return;
      written = `${revision} ${text}`;
      keeper.write({ text, revision, at: new Date(now()).toISOString() });
    },
    close() {
      watching.close();
      journal.close();
      etcd.close();
    },
  };
}
