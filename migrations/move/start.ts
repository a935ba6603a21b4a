import { migrate } from '../migrate.ts';
import { dropObjectsSql, objectsSql } from './objects.ts';
import { transaction, type Move, type Side } from './side.ts';

/** Types of key columns whose text is the same in every session, and for equal values. */
const KEY_TYPES = ['smallint', 'integer', 'bigint', 'uuid', 'text', 'character varying'];

/** Milliseconds `start` waits for open transactions that wrote the table, during which further writes wait too. */
const LOCK_TIMEOUT = 2000;

/**
 * Makes the move's objects in both databases, the new side's first: from then on it refuses writes. Does nothing where they are; once more after a
 * crash it makes what is missing. Throws, before anything is made, when the tables can't be moved.
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
      const { rowCount } = await client.query('SELECT FROM strangler.move WHERE name = $1', [
        description.name,
      ]);
      if (rowCount! > 0) return;
      if (side === to) {
        const { rowCount } = await client.query(`SELECT FROM ${to.table} LIMIT 1`);
        if (rowCount! > 0)
          throw new Error(
            `${description.name}: ${to.table} of ${to.name} must be empty when the move starts`,
          );
      }
      await client.query(objectsSql(description, side));
      await client.query(
        `INSERT INTO strangler.move (name, side, other, phase, fingerprint, backfilled_at) VALUES ($1, $2, $3, 'backfill', $4, $5)`,
        [
          description.name,
          side.name,
          (side === from ? to : from).name,
          side.fingerprint,
          side === to ? new Date() : null,
        ],
      );
    });
  }
}

/** Takes the columns as they are now, at both sides, for those the move goes on with; `run` stops when they are others. */
export async function acceptColumns(move: Move): Promise<void> {
  for (const side of [move.to, move.from]) {
    await checkTable(move, side);
    await side.pool.query('UPDATE strangler.move SET fingerprint = $2 WHERE name = $1', [
      move.description.name,
      side.fingerprint,
    ]);
  }
}

/** Takes the move's objects away from one side. The table stays as it is. */
export async function removeObjects({ description }: Move, side: Side): Promise<void> {
  await transaction(side, LOCK_TIMEOUT, (client) => client.query(dropObjectsSql(description.name, side)));
}

async function checkTable({ description, from, to }: Move, side: Side): Promise<void> {
  const { name, key, owner } = description;
  const wrong = (what: string): never => {
    throw new Error(`${name}: ${side.table} of ${side.name}: ${what}`);
  };
  for (const column of [...key, owner, ...(description.blob ? [description.blob] : [])])
    if (!side.columns.some((candidate) => candidate.name === column))
      wrong(`there is no column ${column} that travels`);
  for (const column of key) {
    const { type } = side.columns.find((candidate) => candidate.name === column)!;
    if (!KEY_TYPES.includes(type)) wrong(`${column} is of type ${type}; a key is ${KEY_TYPES.join(', ')}`);
    const other = (side === from ? to : from).columns.find((candidate) => candidate.name === column);
    if (other && other.type !== type) wrong(`${column} is of type ${type} here and ${other.type} there`);
  }
  const { rows } = await side.pool.query<{ notNull: string[]; unique: string[][] }>(
    `SELECT (SELECT coalesce(json_agg(attname), '[]') FROM pg_attribute WHERE attrelid = $1::regclass AND attnotnull) AS "notNull",
            (SELECT coalesce(json_agg((SELECT json_agg(a.attname ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))), '[]')
             FROM pg_index i WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL) AS "unique"`,
    [side.table],
  );
  const { notNull, unique } = rows[0]!;
  for (const column of [...key, owner]) if (!notNull.includes(column)) wrong(`${column} must be NOT NULL`);
  if (!unique.some((columns) => columns.join() === key.toSorted().join()))
    wrong(`it needs a primary key or unique constraint on (${key.join(', ')}), not deferrable`);
}
