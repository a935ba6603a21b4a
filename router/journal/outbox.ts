import { join } from 'node:path';
import { readText, replaceFile } from '../flags/file.ts';
import type { Entry, MoveEntry } from './journal.ts';

/** What is to go into the common journal, with its key, which is made once: however often it is put, it is there once. */
export interface Waiting {
  readonly key: string;
  readonly entry: Entry | MoveEntry;
}

/** Entries that wait in the state folder until they are in the common journal: kills while etcd is away, and what happened to moves. */
export interface Outbox {
  waiting(): readonly Waiting[];
  /** Returns when it is on the disk. */
  add(one: Waiting): void;
  /** Puts all of them, the oldest first; rejects with the first that can't be. */
  send(): Promise<void>;
}

/** `put`: puts one under its key unless it is there. */
export function openOutbox(stateDir: string, put: (one: Waiting) => Promise<void>): Outbox {
  const path = join(stateDir, 'journal-outbox.json');
  let list = read(path);
  let sending: Promise<void> | null = null;
  const keep = (next: readonly Waiting[]): void => {
    list = next;
    replaceFile(path, JSON.stringify(list), 0o600);
  };

  async function sendAll(): Promise<void> {
    for (let one = list[0]; one; one = list[0]) {
      await put(one);
      const { key } = one;
      keep(list.filter((each) => each.key !== key));
    }
  }

  return {
    waiting: () => list,
    add: (one) => keep([...list, one]),
    send: () => (sending ??= sendAll().finally(() => (sending = null))),
  };
}

function read(path: string): readonly Waiting[] {
  const found = readText(path);
  if ('missing' in found) return [];
  try {
    return JSON.parse(found.text) as Waiting[];
  } catch {
    throw new Error(`${path}: is damaged; restore the file, or move it away: what waited in it is lost then`);
  }
}
