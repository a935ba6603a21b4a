import type pg from 'pg';
import type { Session } from './blobs.ts';
import { Problem } from './problem.ts';

/**
 * Keeps who places a blob and who collects it apart, where the store can't: a Postgres advisory lock of the hash, so among all processes on one database. Any
 * number place at once (shared); collecting is alone, and never waits. Its number is the first 64 bits of the SHA-256; whoever moves blobs here takes the same.
 */
export interface BlobLocks {
  /** Held until the transaction of `within` ends. Throws 503 when a collector, whose store does not answer, holds it for too long. */
  share(within: Session, sha256: string): Promise<void>;
  /** Runs `work` in a transaction while nobody places this blob; not at all when somebody is at it. */
  alone(sha256: string, work: (within: Session) => Promise<void>): Promise<void>;
}

const NUMBER = `('x' || left($1, 16))::bit(64)::bigint`;
/** A statement that was ended for its length. */
const CANCELLED = '57014';

export function openBlobLocks(pool: pg.Pool): BlobLocks {
  return {
    async share(within, sha256) {
      try {
        await within.query(`SELECT pg_advisory_xact_lock_shared(${NUMBER})`, [sha256]);
      } catch (error) {
        if ((error as { code?: string }).code !== CANCELLED) throw error;
        throw new Problem(503, 'the store of the pictures does not answer', { 'retry-after': '2' });
      }
    },
    async alone(sha256, work) {
      const client = await pool.connect();
      let broken: Error | undefined;
      const onError = (error: Error): void => void (broken = error);
      client.on('error', onError);
      try {
        await client.query('BEGIN');
        const sql = `SELECT pg_try_advisory_xact_lock(${NUMBER}) AS held`;
        if ((await client.query<{ held: boolean }>(sql, [sha256])).rows[0]!.held) await work(client);
      } finally {
        // Nothing was written, and the lock goes with the transaction.
        await client.query('ROLLBACK').catch((error: Error) => (broken = error));
        client.off('error', onError);
        client.release(broken);
      }
    },
  };
}
