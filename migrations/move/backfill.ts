import { literal, quote } from './columns.ts';
import type { MoveDescription } from './description.ts';
import { transaction, type Side } from './side.ts';

/**
 * Milliseconds the backfill may wait for a row that is being written. Less than Postgres' deadlock_timeout (1 s), so that in a deadlock it is always the
 * backfill that gives way and never an application.
 */
const LOCK_TIMEOUT = 100;

/**
 * Marks the next rows in key order for sending, behind all live ones, and remembers how far it came, in one transaction. A row that has a state already is
 * live: it was, or will be, sent as such. Answers how many rows were looked at and whether none are left. One process at a time does it; a second answers 0.
 * Rejects with 55P03 when it had to wait for too long; the chunk is then tried again.
 */
export async function backfillChunk(
  { name, key, owner, blob }: MoveDescription,
  side: Side,
  chunk: number,
): Promise<{ rows: number; isDone: boolean }> {
  return transaction(side, LOCK_TIMEOUT, async (client) => {
    const { rows: moves } = await client.query<{ after: string | null; isDone: boolean }>(
      `SELECT backfill_key AS after, backfilled_at IS NOT NULL AS "isDone" FROM strangler.move WHERE name = $1 FOR UPDATE SKIP LOCKED`,
      [name],
    );
    const [move] = moves;
    if (!move || move.isDone) return { rows: 0, isDone: move?.isDone ?? false };
    const columns = key.map((column) => `t.${quote(column)}`).join(', ');
    const after = key.map((column, index) => {
      const { type } = side.columns.find((candidate) => candidate.name === column)!;
      return `(${literal(move.after ?? '')}::jsonb ->> ${index})::${type}`;
    });
    const { rows } = await client.query<{ count: number; last: string | null }>(
      `WITH chunk AS MATERIALIZED (
         SELECT jsonb_build_array(${key.map((column) => `t.${quote(column)}::text`).join(', ')})::text AS key, row_number() OVER (ORDER BY ${columns}) AS i,
                strangler.${name}_bucket_of(t.${quote(owner)}::text) AS b, ${blob ? `t.${quote(blob.sha256)}::text` : 'NULL'} AS blob
         FROM ${side.table} t ${move.after === null ? '' : `WHERE (${columns}) > (${after.join(', ')})`}
         ORDER BY ${columns} LIMIT ${Math.trunc(chunk)}
       ), marked AS (
         INSERT INTO strangler.${name}_row_state (key, b, epoch, n, deleted, dirty, seq, blob_sha)
         SELECT key, b, 0, 0, false, true, (1::bigint << 62) + (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, blob FROM chunk ORDER BY i
         ON CONFLICT (key) DO NOTHING
       )
       SELECT count(*)::int AS count, (array_agg(key ORDER BY i DESC))[1] AS last FROM chunk`,
    );
    const { count, last } = rows[0]!;
    await client.query(
      `UPDATE strangler.move SET backfill_key = coalesce($2, backfill_key), backfilled_at = CASE WHEN $3 THEN clock_timestamp() END WHERE name = $1`,
      [name, last, count < chunk],
    );
    return { rows: count, isDone: count < chunk };
  });
}

/**
 * Has the database clear up after a backfill whose rows have all arrived: what is left of their marks would be passed over by every look for live ones until
 * Postgres does this by itself, some minutes later.
 */
export async function clearUp({ name }: MoveDescription, { pool, table }: Side): Promise<void> {
  await pool.query(`VACUUM (ANALYZE) strangler.${name}_row_state, ${table}`);
}
