import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';

/** What clients did and saw; what the end is compared with. */
export interface Ledger {
  /** Appends that were acknowledged. */
  readonly acked: Set<string>;
  /** Appends, and deletions' contents, of which nobody knows whether they happened: the server went away during COMMIT. */
  readonly maybe: Set<string>;
  readonly maybeGone: Set<string>;
  /** Contents of rows whose deletion was acknowledged, one entry a time an append was in one. */
  readonly gone: string[];
  refused: number;
  /** Times two sides were seen to be a home at once: a transaction had written at one, and before it ended the home was the other; or both said so. */
  dualHome: number;
  /** Answers to a write by both sides' fences that were neither. */
  readonly strange: Map<string, number>;
}

export const newLedger = (): Ledger => ({
  acked: new Set(),
  maybe: new Set(),
  maybeGone: new Set(),
  gone: [],
  refused: 0,
  dualHome: 0,
  strange: new Map(),
});

export interface ClientOptions {
  readonly name: string;
  readonly sides: readonly [pg.Pool, pg.Pool];
  readonly random: () => number;
  readonly keys: number;
  readonly owners: number;
  readonly signal: AbortSignal;
}

const LEVELS = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'];

/** An append that comes too late for its snapshot, a deadlock, a lock timeout, or a fence: nothing was done. */
const NOTHING_DONE = new Set(['40001', '40P01', '55P03', 'SK421', 'SK409', '23505', '25P03']);

/** Appends to, deletes, resurrects and gives away rows that all clients share, at whichever side it believes to be their home. */
export async function client(options: ClientOptions, ledger: Ledger): Promise<void> {
  const { random, sides, signal } = options;
  let side = 0;
  for (let i = 0; !signal.aborted; i += 1) {
    const op = `${options.name}-${i}`;
    for (let attempt = 0; attempt < 4 && !signal.aborted; attempt += 1) {
      const outcome = await transact(options, sides[side]!, op, ledger);
      if (outcome === 'done') break;
      ledger.refused += 1;
      // 421: the other side; anything else: the same again, or not.
      if (outcome === 'elsewhere') side = 1 - side;
      else if (random() < 0.5) break;
      if (outcome === 'down') await wait(50);
    }
    // Clients that know nothing try anywhere.
    if (random() < 0.2) side = 1 - side;
  }
}

async function transact(
  { random, keys, owners }: ClientOptions,
  pool: pg.Pool,
  op: string,
  ledger: Ledger,
): Promise<'done' | 'elsewhere' | 'refused' | 'down'> {
  const connection = await pool.connect().catch(() => undefined);
  if (!connection) return 'down';
  const kind = random();
  const isLong = random() < 0.1;
  const id = 1 + Math.floor(random() * keys);
  let phase: 'work' | 'commit' = 'work';
  let appended = false;
  let gone: string[] = [];
  let owner: string | undefined;
  let broken = false;
  try {
    await connection.query(
      `BEGIN ISOLATION LEVEL ${LEVELS[Math.floor(random() * 3)]!}; SELECT FROM things LIMIT 1`,
    );
    if (isLong) await wait(random() * 60);
    if (kind < 0.08) {
      const { rows } = await connection.query<{ list: string[]; owner: string }>(
        'DELETE FROM things WHERE id = $1 RETURNING list, owner',
        [id],
      );
      gone = rows.flatMap(({ list }) => list);
      owner = rows[0]?.owner;
    } else if (kind < 0.12) {
      await connection.query('UPDATE things SET owner = $2 WHERE id = $1', [
        id,
        1 + Math.floor(random() * owners),
      ]);
    } else {
      const { rows } = await connection.query<{ owner: string }>(
        'UPDATE things SET n = n + 1, list = list || $2::text WHERE id = $1 RETURNING owner',
        [id, op],
      );
      owner = rows[0]?.owner;
      appended = owner !== undefined;
      if (!appended) {
        // The key's own owner: two sides must not give one key to two owners, which the plan of a move refuses.
        await connection.query('INSERT INTO things (id, owner, n, list) VALUES ($1, $2, 1, ARRAY[$3])', [
          id,
          1 + (id % owners),
          op,
        ]);
        appended = true;
        owner = String(1 + (id % owners));
      }
    }
    if (isLong) await wait(random() * 60);
    if (owner !== undefined && random() < 0.5 && !(await isHome(pool, owner))) {
      // A server that was killed has ended our transaction: then that is no wonder, and this fails.
      await connection.query('SELECT');
      ledger.dualHome += 1;
    }
    phase = 'commit';
    await connection.query('COMMIT');
    if (appended) ledger.acked.add(op);
    ledger.gone.push(...gone);
    return 'done';
  } catch (error) {
    const { code = '', message } = error as pg.DatabaseError;
    if (phase === 'commit' && !NOTHING_DONE.has(code)) {
      if (appended) ledger.maybe.add(op);
      for (const one of gone) ledger.maybeGone.add(one);
      broken = true;
      return 'down';
    }
    await connection.query('ROLLBACK').catch(() => {
      broken = true;
    });
    if (code === 'SK421') return 'elsewhere';
    if (NOTHING_DONE.has(code)) return 'refused';
    if (!broken && !code.startsWith('57'))
      ledger.strange.set(message, (ledger.strange.get(message) ?? 0) + 1);
    return 'down';
  } finally {
    connection.release(broken);
  }
}

/** Asked on another connection, as the transaction itself may see what was once. */
async function isHome(pool: pg.Pool, owner: string): Promise<boolean> {
  const { rows } = await pool.query<{ home: boolean }>('SELECT strangler.things_is_home($1) AS home', [
    owner,
  ]);
  return rows[0]!.home;
}
