import type pg from 'pg';
import { transaction, type Move, type Side } from './side.ts';

/** Rows marked in one transaction. */
const CHUNK = 2000;
/** Milliseconds one may wait for a row or a bucket that somebody holds; then the chunk is tried again. Less than deadlock_timeout, so that no application gives way to us. */
const LOCK_TIMEOUT = 100;
const TRIES = 100;

/**
 * Gives each row a next version at its home and marks it for sending, behind all live ones: for what changed in rows without their triggers, such as a new column's
 * default, and for a mapping that gives something else now. Once more it marks them once more, which costs time and nothing else.
 */
export async function markAgain(move: Move): Promise<void> {
  // In this order: while columns are others, buckets only go back.
  for (const side of [move.to, move.from]) {
    let after: string | null = '';
    while (after !== null) after = await markChunk(move, side, after);
  }
}

/** Answers the last key it came to, or null when there are no more. */
async function markChunk({ description: { name } }: Move, side: Side, after: string): Promise<string | null> {
  const work = async (client: pg.PoolClient): Promise<string | null> => {
    const { rows: chunk } = await client.query<{ key: string }>(
      `SELECT key FROM strangler.${name}_row_state WHERE key > $1 ORDER BY key LIMIT ${CHUNK}`,
      [after],
    );
    const keys = chunk.map(({ key }) => key);
    // Like a write of the application: while we are in it, no bucket leaves; one that has left in the meantime refuses.
    const { rows: entered } = await client.query<{ b: number }>(
      `SELECT b, strangler.${name}_enter(b) FROM strangler.${name}_bucket WHERE home = $2 AND NOT moving
       AND b IN (SELECT b FROM strangler.${name}_row_state WHERE key = ANY ($1)) ORDER BY b`,
      [keys, side.name],
    );
    await client.query(
      `UPDATE strangler.${name}_row_state s SET n = s.n + 1, dirty = true, seq = (1::bigint << 62) + (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
       WHERE s.key = ANY ($1) AND s.b = ANY ($2) AND NOT s.dirty AND NOT s.deleted`,
      [keys, entered.map(({ b }) => b)],
    );
    return keys.length < CHUNK ? null : keys.at(-1)!;
  };
  for (let attempt = 1; ; attempt += 1)
    try {
      return await transaction(side, LOCK_TIMEOUT, work);
    } catch (error) {
      const passes = ['55P03', '40P01', 'SK421', 'SK409'].includes(
        String((error as { code?: unknown }).code),
      );
      if (!passes || attempt === TRIES) throw error;
    }
}
