import type pg from 'pg';
import { commit, finalise } from '../../migrations/move/decide.ts';
import { drain, fence, handOver, otherSide, settle } from '../../migrations/move/handover.ts';
import type { Move } from '../../migrations/move/side.ts';

/** Known mistakes, put in by the tests alone: a proof that finds none of them proves nothing. */
export const PLANTS = [
  'no fence lock',
  'no row lock in REPEATABLE READ',
  'no home check',
  'drain before fence',
  'no drain',
  'no version guard',
  'blind dirty-clear',
  'abort after the commit point',
  'commit before fence',
  'tombstones forgotten',
  'mark does not bump',
  'owner change forgets the bucket it left',
  'the sync is marked and fenced',
  'commit not guarded by its epoch',
  'finalise believes a fenced home',
  'mark taken away before the row is sent',
] as const;
export type Plant = (typeof PLANTS)[number];

/** In functions of the databases: text → what stands there instead. */
const IN_DATABASE: Partial<Record<Plant, readonly [string, RegExp, string]>> = {
  'no fence lock': ['enter(int)', /PERFORM pg_advisory_xact_lock_shared\([^;]*;/, ''],
  'no row lock in REPEATABLE READ': ['enter(int)', /FOR SHARE/, ''],
  'owner change forgets the bucket it left': [
    'bump(text, int, boolean, text)',
    /CASE WHEN s\.b = excluded\.b THEN s\.left_buckets ELSE s\.left_buckets \|\| s\.b END/,
    `'{}'`,
  ],
  'no home check': ['enter(int)', /IF at\.home <> '[^']*' THEN/, 'IF false THEN'],
  'mark does not bump': [
    'bump(text, int, boolean, text)',
    /n = s\.n \+ 1/,
    'n = s.n + (random() < 0.7)::int',
  ],
  'tombstones forgotten': [
    'bump(text, int, boolean, text)',
    /BEGIN/,
    'BEGIN IF gone THEN DELETE FROM strangler.things_row_state WHERE key = row_key; RETURN; END IF;',
  ],
};

/** In what a process of the move sends to the databases. */
export const IN_STATEMENT: Partial<Record<Plant, readonly [RegExp, string]>> = {
  'no version guard': [/WHERE \(s\.epoch, s\.n\) < \(excluded\.epoch, excluded\.n\) AND NOT s\.dirty/, ''],
  'commit not guarded by its epoch': [/(moving = false WHERE b = \$1) AND epoch < \$3(?!:)/, '$1'],
  'finalise believes a fenced home': [
    /SELECT home, epoch, moving FROM/,
    'SELECT home, epoch, false AS moving FROM',
  ],
  'blind dirty-clear': [
    /AND \(s\.epoch, s\.n\) = \(sent\.epoch, sent\.n\) AND s\.dirty FOR UPDATE SKIP LOCKED/,
    '',
  ],
};

/** Changes the functions of a database. Throws when the place is not there: then the proof would prove nothing. */
export async function plantIntoDatabase(pool: pg.Pool, plant: Plant): Promise<void> {
  if (plant === 'the sync is marked and fenced') return dropConditions(pool);
  const [name, place, instead] = IN_DATABASE[plant] ?? [];
  if (!name) return;
  const { rows } = await pool.query<{ text: string }>(
    `SELECT pg_get_functiondef('strangler.things_${name}'::regprocedure) AS text`,
  );
  await pool.query(changed(rows[0]!.text, place!, instead!));
}

/** The triggers let the sync's own writes pass by their conditions. */
async function dropConditions(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ name: string; text: string }>(
    "SELECT tgname AS name, pg_get_triggerdef(oid) AS text FROM pg_trigger WHERE tgname ~ '^zz_strangler_things_(fence|mark)$'",
  );
  for (const { name, text } of rows)
    await pool.query(
      `DROP TRIGGER ${name} ON things; ${changed(text, / WHEN \(.*\) EXECUTE/, ' EXECUTE')}; ALTER TABLE things ENABLE ALWAYS TRIGGER ${name}`,
    );
}

/** Changes what a process says. */
export function plantInto(move: Move, plant: Plant): void {
  const [place, instead] = IN_STATEMENT[plant] ?? [];
  if (!place) return;
  const change = (args: unknown[]): unknown[] =>
    typeof args[0] === 'string' ? [args[0].replace(place, instead!), ...args.slice(1)] : args;
  for (const { pool } of [move.from, move.to]) {
    const query = pool.query.bind(pool) as (...args: unknown[]) => unknown;
    pool.query = ((...args: unknown[]) => query(...change(args))) as typeof pool.query;
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      client.query = ((...args: unknown[]) => query(...change(args))) as typeof client.query;
    });
  }
}

function changed(text: string, place: RegExp, instead: string): string {
  const result = text.replace(place, instead);
  if (result === text) throw new Error(`there is nothing like ${place} to plant a mistake into`);
  return result;
}

/** Movers that take the steps in a wrong order. */
export function moverWith(plant: Plant): typeof handOver {
  const epochOf = async (move: Move, b: number, from: 'from' | 'to', plus: number): Promise<string> => {
    const { rows } = await move[from].pool.query<{ epoch: string }>(
      `SELECT epoch + ${plus} AS epoch FROM strangler.things_bucket WHERE b = $1`,
      [b],
    );
    return rows[0]!.epoch;
  };
  const sideOf = (move: Move, side: Move['from']): 'from' | 'to' => (side === move.from ? 'from' : 'to');
  switch (plant) {
    case 'drain before fence':
      return async (move, b, target, options) => {
        const source = otherSide(move, target);
        await settle(move, b, options);
        await drain(move, b, source, target, '0', options);
        if (!(await fence(move, b, source, target, options))) return;
        const epoch = await epochOf(move, b, sideOf(move, source), 0);
        await commit(move, b, target, epoch);
        await finalise(move, b, source, target, epoch);
      };
    case 'no drain':
      return async (move, b, target, options) => {
        const source = otherSide(move, target);
        if (!(await fence(move, b, source, target, options))) return;
        const epoch = await epochOf(move, b, sideOf(move, source), 0);
        await commit(move, b, target, epoch);
        await finalise(move, b, source, target, epoch);
      };
    case 'commit before fence':
      return async (move, b, target, options) => {
        const source = otherSide(move, target);
        await settle(move, b, options);
        const { rows } = await source.pool.query(
          'SELECT FROM strangler.things_bucket WHERE b = $1 AND home = $2',
          [b, source.name],
        );
        if (rows.length === 0) return;
        await commit(move, b, target, await epochOf(move, b, sideOf(move, source), 1));
        if (await fence(move, b, source, target, options)) await settle(move, b, options);
      };
    case 'abort after the commit point':
      return async (move, b, target, options) => {
        const source = otherSide(move, target);
        await settle(move, b, options);
        if (!(await fence(move, b, source, target, options))) return;
        const epoch = await epochOf(move, b, sideOf(move, source), 0);
        if (await drain(move, b, source, target, epoch, options)) return;
        await commit(move, b, target, epoch);
        // As if the answer to the commit had been lost, and the mover believed it had not happened.
        await source.pool.query(
          `UPDATE strangler.things_bucket SET home = $2, epoch = epoch + 1, moving = false WHERE b = $1 AND moving`,
          [b, source.name],
        );
      };
    default:
      return handOver;
  }
}
