import type { Etcd, KeyValue } from '../etcd/client.ts';
import type { Entry, Journal, MoveEntry } from './journal.ts';
import { openOutbox } from './outbox.ts';

/**
 * The journal that the routers of one etcd have in common: a key an entry, made once and never changed, in the order of the revisions at which they
 * were made. Here is its copy in memory, which the watch keeps; whoever writes an entry puts it in at once.
 */
export interface EtcdJournal extends Journal {
  /** Key of an entry that is decided on what the flags were at a revision: so entries that are newer have keys that are greater. */
  keyOf(revision: number, id: string): string;
  /** All is about to be read: what is taken from now on may be newer than what will have been read. */
  reading(): void;
  /** All there was when it was read, in any order; what was taken since then stays. */
  replace(keys: readonly KeyValue[]): void;
  take(key: string, value: string, created: number): void;
  drop(key: string): void;
  /** Sends what waits in the state folder; never rejects. */
  send(): Promise<void>;
  /** Removes the oldest entries beyond the limit; never rejects. */
  trim(): Promise<void>;
}

/** Entries that are kept, and how many more there may be before the oldest are removed. */
export const KEPT = 10_000;
const SLACK = 100;
/** Before what waits is sent again, in milliseconds. */
const AGAIN = 1000;

export interface EtcdJournalOptions {
  readonly etcd: Etcd;
  /** Of the keys. */
  readonly prefix: string;
  readonly stateDir: string;
  /** Revision of the flags that are known here. */
  readonly revision: () => number;
  /** What this router is called in entries of what holds for it alone. */
  readonly me: string;
}

interface Row {
  readonly key: string;
  readonly created: number;
  readonly entry: Entry | MoveEntry;
}

export function createEtcdJournal({ etcd, prefix, stateDir, revision, me }: EtcdJournalOptions): EtcdJournal {
  let rows: Row[] = [];
  const known = new Set<string>();
  /** Taken since all was about to be read; null when it is not. */
  let fresh: Row[] | null = null;
  const intents = new Map<string, Entry>();
  /** Made of the rows when it is asked for. */
  let lists: { readonly entries: readonly Entry[]; readonly history: readonly (Entry | MoveEntry)[] } | null =
    null;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const outbox = openOutbox(stateDir, async ({ key, entry }) => {
    const value = JSON.stringify(entry);
    const { succeeded, ranges, revision } = await etcd.txn(
      [{ key, created: 0 }],
      [{ put: key, value }],
      [{ range: key }],
    );
    take(key, value, succeeded ? revision : ranges[0]!.keys[0]!.created);
  });

  function keyOf(at: number, id: string): string {
    return `${prefix}${String(at).padStart(16, '0')}-${id}`;
  }

  function take(key: string, value: string, created: number): void {
    if (known.has(key)) return;
    const entry = entryOf(value);
    // Put there by hand, and no entry: it is no part of the history.
    if (entry) insert({ key, created, entry });
  }

  function insert(row: Row): void {
    known.add(row.key);
    fresh?.push(row);
    let place = rows.length;
    while (place > 0 && rows[place - 1]!.created > row.created) place--;
    rows.splice(place, 0, row);
    lists = null;
  }

  async function send(): Promise<void> {
    clearTimeout(timer);
    if (isClosed || outbox.waiting().length === 0) return;
    try {
      await outbox.send();
      lists = null;
    } catch {
      timer = setTimeout(() => void send(), AGAIN);
    }
  }

  function add(entry: Entry | MoveEntry): void {
    outbox.add({ key: keyOf(revision(), entry.id), entry });
    lists = null;
    void send();
  }

  function listed(): NonNullable<typeof lists> {
    if (lists) return lists;
    const waiting = outbox.waiting().filter(({ key }) => !known.has(key));
    const history = [...rows, ...waiting].map(({ entry }) => entry);
    return (lists = { history, entries: history.filter((entry): entry is Entry => !('move' in entry)) });
  }

  return {
    keyOf,
    take,
    send,
    reading() {
      fresh = [];
    },
    replace(keys) {
      const newer = fresh ?? [];
      fresh = null;
      rows = [];
      known.clear();
      lists = null;
      for (const { key, value, created } of keys.toSorted((a, b) => a.created - b.created))
        take(key, value, created);
      for (const row of newer) if (!known.has(row.key)) insert(row);
    },
    drop(key) {
      if (!known.delete(key)) return;
      rows = rows.filter((row) => row.key !== key);
      lists = null;
    },
    async trim() {
      if (rows.length <= KEPT + SLACK) return;
      await etcd.remove(prefix, rows[rows.length - KEPT]!.key).catch(() => undefined);
    },
    append(line) {
      if (line.kind === 'intent') intents.set(line.entry.id, { ...line.entry, router: me });
      else if (line.kind === 'move') add(line.entry);
      else {
        const entry = intents.get(line.id);
        intents.delete(line.id);
        if (entry && line.kind === 'done') add(entry);
      }
    },
    entries: () => listed().entries,
    history: () => listed().history,
    open: () => [],
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

function entryOf(text: string): Entry | MoveEntry | null {
  try {
    const entry = JSON.parse(text) as Partial<Entry & MoveEntry>;
    return typeof entry.id === 'string' && typeof (entry.feature ?? entry.move) === 'string'
      ? (entry as Entry)
      : null;
  } catch {
    return null;
  }
}
