import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';

export const LEVELS = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'] as const;

/** One write, as a client wants it. */
export interface Deed {
  /** `append` adds `op` to a row, `put` makes the row when there is none of that owner, `give` lets it have another owner. */
  readonly kind: 'append' | 'put' | 'delete' | 'give';
  readonly op: string;
  readonly id: number;
  readonly owner: number;
  readonly level: (typeof LEVELS)[number];
  /** Milliseconds between the transaction's snapshot and its write, and from there to its COMMIT. */
  readonly pauses: readonly [number, number];
  /** Whether to ask, before the COMMIT, if this side still calls itself the home. */
  readonly isWatched: boolean;
}

/** What became of it. `elsewhere`: this side is not the home. `unknown`: the answer to the COMMIT was lost. */
export interface Done {
  readonly what: 'done' | 'elsewhere' | 'refused' | 'down' | 'unknown';
  readonly appended: boolean;
  /** What the deleted row had. */
  readonly gone: readonly string[];
  /** Of `elsewhere`: the fence's word on where the home is. */
  readonly home: string;
  /** A transaction had written, and before it ended this side did not call itself the home. */
  readonly isDual: boolean;
  /** An answer of the database that none of this explains. */
  readonly strange: string | undefined;
}

/** A write that comes too late for its snapshot, a deadlock, a lock timeout, a fence, a key that is there: nothing was done. */
const NOTHING_DONE = new Set(['40001', '40P01', '55P03', 'SK421', 'SK409', '23505', '25P03']);

/** Writes in a transaction of its own. `foretell` hears what a COMMIT would delete, before it. */
export async function transact(
  pool: pg.Pool,
  deed: Deed,
  foretell: (gone: readonly string[]) => void = () => {},
): Promise<Done> {
  const nothing: Done = {
    what: 'refused',
    appended: false,
    gone: [],
    home: '',
    isDual: false,
    strange: undefined,
  };
  const connection = await pool.connect().catch(() => undefined);
  if (!connection) return { ...nothing, what: 'down' };
  let isDual = false;
  let isCommitting = false;
  let isBroken = false;
  let written: Written | undefined;
  try {
    await connection.query(`BEGIN ISOLATION LEVEL ${deed.level}; SELECT FROM things LIMIT 1`);
    if (deed.pauses[0] > 0) await wait(deed.pauses[0]);
    written = await write(connection, deed);
    if (deed.pauses[1] > 0) await wait(deed.pauses[1]);
    if (deed.isWatched && written.owner !== undefined && !(await isHome(pool, written.owner))) {
      // A server that was killed has ended our transaction: then that is no wonder, and this fails.
      await connection.query('SELECT');
      isDual = true;
    }
    if (written.gone.length > 0) foretell(written.gone);
    isCommitting = true;
    await connection.query('COMMIT');
    return { ...nothing, ...written, what: 'done', isDual };
  } catch (error) {
    const { code = '', message, detail = '' } = error as pg.DatabaseError;
    if (isCommitting && !NOTHING_DONE.has(code)) {
      isBroken = true;
      return { ...nothing, ...written, what: 'unknown', isDual };
    }
    await connection.query('ROLLBACK').catch(() => (isBroken = true));
    if (code === 'SK421') return { ...nothing, what: 'elsewhere', home: detail };
    if (NOTHING_DONE.has(code)) return nothing;
    return { ...nothing, what: 'down', strange: isBroken || code.startsWith('57') ? undefined : message };
  } finally {
    connection.release(isBroken);
  }
}

interface Written {
  readonly appended: boolean;
  readonly gone: readonly string[];
  /** Of the row that was written. */
  readonly owner?: string | undefined;
}

async function write(connection: pg.PoolClient, { kind, op, id, owner }: Deed): Promise<Written> {
  if (kind === 'delete') {
    const { rows } = await connection.query<{ list: string[]; owner: string }>(
      'DELETE FROM things WHERE id = $1 RETURNING list, owner',
      [id],
    );
    return { appended: false, gone: rows.flatMap(({ list }) => list), owner: rows[0]?.owner };
  }
  if (kind === 'give') {
    await connection.query('UPDATE things SET owner = $2 WHERE id = $1', [id, owner]);
    return { appended: false, gone: [] };
  }
  const { rows } = await connection.query<{ owner: string }>(
    'UPDATE things SET n = n + 1, list = list || $2::text WHERE id = $1 RETURNING owner',
    [id, op],
  );
  if (rows[0]) return { appended: true, gone: [], owner: rows[0].owner };
  if (kind === 'append') return { appended: false, gone: [] };
  await connection.query('INSERT INTO things (id, owner, n, list) VALUES ($1, $2, 1, ARRAY[$3])', [
    id,
    owner,
    op,
  ]);
  return { appended: true, gone: [], owner: String(owner) };
}

/** Asked on another connection, as the transaction itself may see what was once. */
async function isHome(pool: pg.Pool, owner: string): Promise<boolean> {
  const { rows } = await pool.query<{ home: boolean }>('SELECT strangler.things_is_home($1) AS home', [
    owner,
  ]);
  return rows[0]!.home;
}
