import { migrate } from '../migrate.ts';
import { Refused } from './handover.ts';
import { objectsSql } from './objects.ts';
import { leaseIds } from './ids.ts';
import type { MoveDescription } from './description.ts';
import { markAgain } from './mark-again.ts';
import { isSyncing } from './phase.ts';
import { readRecord } from './record.ts';
import { transaction, type Move, type Side } from './side.ts';

/** Types of keys and owners whose text is the same in every session, and for equal values. */
const KEY_TYPES = ['smallint', 'integer', 'bigint', 'uuid', 'text', 'character varying'];

/** Milliseconds `start` waits for open transactions that wrote the table, during which further writes wait too. */
const LOCK_TIMEOUT = 2000;

/**
 * Makes the move's objects in both databases, the new side's first: from then on it refuses writes. Does nothing where they are; once more after a
 * crash it makes what is missing. Throws, before anything is made, when the tables can't be moved; rejects with `Refused` when the new one is not empty, or somebody
 * holds one of them.
 */
export async function start(move: Move): Promise<void> {
  const { description, from, to } = move;
  for (const side of [from, to]) await migrate({ url: side.url, set: 'move' });
  for (const side of [from, to]) await checkTable(move, side);
  for (const side of [to, from]) {
    await transaction(side, LOCK_TIMEOUT, async (client) => {
      await client.query('SELECT pg_advisory_xact_lock(hashtext($1))', [
        `strangler.move.${description.name}`,
      ]);
      const { rowCount } = await client.query(
        `WITH over AS (DELETE FROM strangler.move WHERE name = $1 AND phase = 'contracted')
         SELECT FROM strangler.move WHERE name = $1 AND phase <> 'contracted'`,
        [description.name],
      );
      if (rowCount! > 0) return;
      if (side === to) {
        const { rowCount } = await client.query(`SELECT FROM ${to.table} LIMIT 1`);
        if (rowCount! > 0)
          throw new Refused(
            `${description.name}: ${to.table} of ${to.name} must be empty when the move starts`,
          );
      }
      await client.query(objectsSql(description, side));
      await client.query(
        `INSERT INTO strangler.move (name, side, other, starts_at, phase, fingerprint, backfilled_at) VALUES ($1, $2, $3, $4, 'backfill', $5, $6)`,
        [
          description.name,
          side.name,
          (side === from ? to : from).name,
          from.name,
          side.fingerprint,
          side === to ? new Date() : null,
        ],
      );
    }).catch((error: Error & { code?: string }) => {
      if (error.code !== '55P03') throw error;
      throw new Refused(
        `${description.name}: a transaction that writes ${side.table} of ${side.name} does not end; start again when it has`,
        { cause: error },
      );
    });
  }
  // The new side may add rows as soon as it is the home of any.
  await leaseIds(move);
}

/**
 * Takes the columns as they are now, at both sides, for those the move goes on with; `run` stops when they are others. All rows are sent anew, and verified anew
 * before a bucket goes forward.
 */
export async function acceptColumns(move: Move): Promise<void> {
  const { phase } = await readRecord(move);
  if (!isSyncing(phase))
    throw new Refused(
      `${move.description.name} is in the phase ${phase}; its columns are nobody's concern any more`,
    );
  for (const side of [move.to, move.from]) await checkTable(move, side);
  // Before: what is cut short is done again, as nothing goes on until the columns are taken.
  await markAgain(move);
  for (const side of [move.to, move.from]) {
    await side.pool.query('UPDATE strangler.move SET fingerprint = $2, verified_at = NULL WHERE name = $1', [
      move.description.name,
      side.fingerprint,
    ]);
  }
}

/** The columns of a side that its blobs are found by. */
const blobColumns = ({ blob }: MoveDescription, { name }: Side): string[] =>
  blob ? [blob.sha256, ...(name === blob.pathsAt ? [blob.path] : [])] : [];

async function checkTable({ description, from, to }: Move, side: Side): Promise<void> {
  const { name, key, owner } = description;
  const wrong = (what: string): never => {
    throw new Error(`${name}: ${side.table} of ${side.name}: ${what}`);
  };
  for (const column of [...key, owner, ...blobColumns(description, side)])
    if (!side.columns.some((candidate) => candidate.name === column))
      wrong(`there is no column ${column} that travels`);
  const [types, others] = await Promise.all([baseTypes(side), baseTypes(side === from ? to : from)]);
  for (const column of [...key, owner]) {
    const [type, other] = [types[column]!, others[column]];
    if (!KEY_TYPES.includes(type))
      wrong(`${column} is of type ${type}; a key or an owner is ${KEY_TYPES.join(', ')}`);
    if (other && other !== type) wrong(`${column} is of type ${type} here and ${other} there`);
  }
  const { rows } = await side.pool.query<{ notNull: string[]; unique: string[][] }>(
    `SELECT (SELECT coalesce(json_agg(attname), '[]') FROM pg_attribute WHERE attrelid = $1::regclass AND attnotnull) AS "notNull",
            (SELECT coalesce(json_agg((SELECT json_agg(a.attname ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int[])[0:i.indnkeyatts - 1]))), '[]')
             FROM pg_index i WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL) AS "unique"`,
    [side.table],
  );
  const { notNull, unique } = rows[0]!;
  for (const column of [...key, owner]) if (!notNull.includes(column)) wrong(`${column} must be NOT NULL`);
  if (!unique.some((columns) => columns.join() === key.toSorted().join()))
    wrong(`it needs a primary key or unique constraint on (${key.join(', ')}), not deferrable`);
}

/** Column → its type, below any domain. */
async function baseTypes(side: Side): Promise<Record<string, string>> {
  const { rows } = await side.pool.query<{ types: Record<string, string> }>(
    `WITH RECURSIVE below (name, oid) AS (
       SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
       UNION SELECT b.name, t.typbasetype FROM below b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')
     SELECT json_object_agg(b.name, format_type(b.oid, NULL)) AS types FROM below b JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'`,
    [side.table],
  );
  return rows[0]!.types;
}
