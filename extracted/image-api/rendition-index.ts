import { statSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { isCorrupt, openSqlite } from './sqlite.ts';

/** Raised when the tables change; an index of another version is another's. */
const VERSION = 1;
/** Milliseconds that a process waits for another one's transaction, its whole loop with it; then the rendition is not kept. */
const PATIENCE = 250;

const TABLES = `
  CREATE TABLE renditions (key TEXT PRIMARY KEY, bytes INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX renditions_used ON renditions (used);
  CREATE TABLE total (bytes INTEGER NOT NULL, entries INTEGER NOT NULL);
  INSERT INTO total VALUES (0, 0);
  CREATE TRIGGER added AFTER INSERT ON renditions BEGIN UPDATE total SET bytes = bytes + new.bytes, entries = entries + 1; END;
  CREATE TRIGGER removed AFTER DELETE ON renditions BEGIN UPDATE total SET bytes = bytes - old.bytes, entries = entries - 1; END;
  PRAGMA user_version = ${VERSION};`;

/** What is thrown for an index that is not this version's, or damaged. */
export class UnusableIndex extends Error {}

export interface Total {
  readonly bytes: number;
  readonly entries: number;
}

/**
 * Which renditions are kept, for any number of processes. All methods are synchronous and take some tens of microseconds. Files appear and disappear under
 * the lock of a transaction here, before it is committed where they go, after where they come: so whatever is killed, no file is without its row.
 */
export interface RenditionIndex {
  /** Makes room for `bytes` and takes it; `evict` removes the file of each that has to go, the least recently used first. Returns how many went. */
  reserve(key: string, bytes: number, evict: (key: string) => void): number;
  /** Evicts until the limit is kept, which may be a lower one than before. Returns how many went. */
  trim(evict: (key: string) => void): number;
  /** Runs `place`, which names the file, if its room is still reserved. */
  place(key: string, place: () => void): void;
  /** Forgets these, with their files. `still` is asked under the lock whether one is to go. */
  drop(keys: readonly string[], remove: (key: string) => void, still?: (key: string) => boolean): void;
  /** Microseconds since 1970 at which each was last used. */
  touch(used: ReadonlyMap<string, number>): void;
  /** Keys from `from` (included) to `to` (not), with when each was last used. */
  range(from: string, to: string): Map<string, number>;
  has(key: string): boolean;
  total(): Total;
  /** The file of this index was taken away or replaced by another process: open it anew. */
  isReplaced(): boolean;
  close(): void;
}

/** Microseconds since 1970: two uses within a millisecond have an order too. */
export function usedNow(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** `limit`: bytes of all renditions together. Throws UnusableIndex, or what the file system says. */
export function openIndex(path: string, limit: number): RenditionIndex {
  const db = openSqlite(path, PATIENCE);
  try {
    // Durability is for the files to find out by their checksums; what is lost of the index by a power cut is swept.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
    prepareTables(db);
    return indexOf(db, limit, path);
  } catch (error) {
    db.close();
    throw isCorrupt(error) ? new UnusableIndex('it is damaged', { cause: error }) : error;
  }
}

function prepareTables(db: DatabaseSync): void {
  inTransaction(db, () => {
    const { user_version: version } = db.prepare('PRAGMA user_version').get()!;
    const { count } = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()!;
    if (version === 0 && count === 0) db.exec(TABLES);
    else if (version !== VERSION) throw new UnusableIndex(`it is of version ${version}`);
    const { quick_check: verdict } = db.prepare('PRAGMA quick_check (1)').get()!;
    if (verdict !== 'ok') throw new UnusableIndex(`it is damaged: ${verdict}`);
    db.exec('UPDATE total SET (bytes, entries) = (SELECT coalesce(sum(bytes), 0), count(*) FROM renditions)');
  });
}

function indexOf(db: DatabaseSync, limit: number, path: string): RenditionIndex {
  const { ino } = statSync(path);
  const statements = {
    add: db.prepare('INSERT INTO renditions VALUES (?, ?, ?)'),
    remove: db.prepare('DELETE FROM renditions WHERE key = ?'),
    has: db.prepare('SELECT 1 FROM renditions WHERE key = ?'),
    oldest: db.prepare('SELECT key, bytes FROM renditions ORDER BY used LIMIT 20'),
    touch: db.prepare('UPDATE renditions SET used = ?2 WHERE key = ?1 AND used < ?2'),
    range: db.prepare('SELECT key, used FROM renditions WHERE key >= ? AND key < ?'),
    total: db.prepare('SELECT bytes, entries FROM total'),
  };
  const total = (): Total => ({ ...(statements.total.get() as unknown as Total) });
  const has = (key: SQLInputValue): boolean => statements.has.get(key) !== undefined;

  /** Evicts until there is room for so many bytes. */
  const makeRoom = (bytes: number, evict: (key: string) => void): number => {
    let count = 0;
    for (let excess = total().bytes + bytes - limit; excess > 0;) {
      const oldest = statements.oldest.all() as unknown as { key: string; bytes: number }[];
      if (oldest.length === 0) break;
      for (const row of oldest) {
        if (excess <= 0) break;
        evict(row.key);
        statements.remove.run(row.key);
        excess -= row.bytes;
        count += 1;
      }
    }
    return count;
  };

  return {
    reserve: (key, bytes, evict) =>
      inTransaction(db, () => {
        statements.remove.run(key);
        const count = makeRoom(bytes, evict);
        statements.add.run(key, bytes, usedNow());
        return count;
      }),
    trim: (evict) => inTransaction(db, () => makeRoom(0, evict)),
    place: (key, place) =>
      inTransaction(db, () => {
        if (has(key)) place();
      }),
    drop: (keys, remove, still = () => true) =>
      inTransaction(db, () => {
        for (const key of keys) {
          if (!still(key)) continue;
          remove(key);
          statements.remove.run(key);
        }
      }),
    touch: (used) =>
      inTransaction(db, () => {
        for (const [key, at] of used) statements.touch.run(key, at);
      }),
    range: (from, to) =>
      new Map(
        (statements.range.all(from, to) as unknown as { key: string; used: number }[]).map(
          ({ key, used }) => [key, used],
        ),
      ),
    has,
    total,
    isReplaced: () => statSync(path, { throwIfNoEntry: false })?.ino !== ino,
    close: () => {
      if (db.isOpen) db.close();
    },
  };
}

function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // What SQLite rolled back by itself can not be rolled back again.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
