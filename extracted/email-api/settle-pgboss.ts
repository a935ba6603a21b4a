import type pg from 'pg';
import type { Job as Claim, PgBoss } from 'pg-boss';
import { DEAD, DELIVERY_LIMIT, MAIL, type Verdict } from './queue.ts';

/** The claim as it was fetched: a job that was taken from us meanwhile, and given to another, is left alone. */
const CLAIMED = `WHERE name = '${MAIL}' AND id = $1 AND state = 'active' AND retry_count = $2`;

/**
 * Writes a verdict down, by pg-boss's own `complete` and `fail`. What `fail` does it reads off the job's row, so how many further attempts there are is
 * written there first, in the same transaction: none, or those of a job that was never taken. Rejects when the database can't be reached.
 */
export async function settle(
  { pool, boss }: { pool: pg.Pool; boss: PgBoss },
  claim: Claim,
  verdict: Verdict,
): Promise<void> {
  const values = [claim.id, claim.retryCount];
  if (verdict.type === 'done') {
    await boss.complete(MAIL, claim);
  } else if (verdict.type === 'release') {
    // As pg-boss's `restore` does, but by the claim, and not at once.
    await pool.query(
      `UPDATE pgboss.job SET state = 'created', started_on = NULL, heartbeat_on = NULL, start_after = now() + make_interval(secs => $3) ${CLAIMED}`,
      [...values, verdict.after],
    );
  } else {
    const limit = verdict.type === 'dead' ? 'retry_count' : `retry_count + ${DELIVERY_LIMIT}`;
    await inTransaction(pool, async (client) => {
      // Where it goes in the end is not left to who sent it either.
      await client.query(
        `UPDATE pgboss.job SET retry_limit = ${limit}, dead_letter = '${DEAD}' ${CLAIMED}`,
        values,
      );
      const db = { executeSql: (text: string, params?: unknown[]) => client.query(text, params) };
      await boss.fail(MAIL, claim, { message: storable(verdict.why) }, { db });
      if (verdict.type === 'retry')
        await client.query(
          `UPDATE pgboss.job SET start_after = now() + make_interval(secs => $3) WHERE name = '${MAIL}' AND id = $1 AND retry_count = $2 AND state = 'retry'`,
          [...values, verdict.after],
        );
    });
  }
}

/** Postgres keeps neither a NUL nor half a character in JSON, and a mail server's answer may hold both: the verdict must not fail by its reason. */
const storable = (text: string): string => text.toWellFormed().replaceAll('\0', '\ufffd');

async function inTransaction(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error): void => void (broken = error);
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    await work(client);
    await client.query('COMMIT');
  } catch (error) {
    broken ??= error as Error;
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
