import type pg from 'pg';
import { refuseUnsafe, type MailJob } from './mail-job.ts';
import type { MailQueue } from './queue.ts';

/** A job that waits for the broker. */
export interface Waiting {
  /** A bigint in decimal, rising with the order of writing. */
  readonly position: string;
  readonly job: MailJob;
}

/** The queue of a shop with a broker: jobs wait in a table, and the relay brings them to the broker. */
export function openOutbox(): MailQueue {
  return {
    async enqueue(client, job) {
      refuseUnsafe(job);
      await client.query('INSERT INTO mail_outbox (message_id, job) VALUES ($1, $2)', [
        job.id,
        JSON.stringify(job),
      ]);
    },
    close: async () => undefined,
  };
}

/**
 * Takes up to `most` jobs, the oldest first, gives them to `publish`, and removes those whose positions it answers. The rows stay locked meanwhile, so
 * several relays never publish the same ones at the same time; who dies leaves them as they were. Answers how many were found and how many removed.
 * Rejects as `publish` or the database does, with nothing removed.
 */
export async function drainOutbox(
  pool: pg.Pool,
  most: number,
  publish: (jobs: readonly Waiting[]) => Promise<readonly string[]>,
): Promise<{ found: number; removed: number }> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<Waiting>(
      'SELECT position, job FROM mail_outbox ORDER BY position LIMIT $1 FOR UPDATE SKIP LOCKED',
      [most],
    );
    const done = rows.length > 0 ? await publish(rows) : [];
    if (done.length > 0) await client.query('DELETE FROM mail_outbox WHERE position = ANY($1)', [done]);
    await client.query('COMMIT');
    return { found: rows.length, removed: done.length };
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    // With an error, the connection is closed, and its transaction with it.
    client.release(failure);
  }
}

/** How many jobs wait for the broker, and for how many seconds the oldest does. */
export async function waitingIn(pool: pg.Pool): Promise<{ jobs: number; seconds: number }> {
  const { rows } = await pool.query<{ jobs: number; seconds: number }>(
    'SELECT count(*)::int AS jobs, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS seconds FROM mail_outbox',
  );
  return rows[0]!;
}
