import type pg from 'pg';

/** Runs `work` while nobody collects the blob of this hash. */
export type Uncollected = <T>(sha256: string, work: () => Promise<T>) => Promise<T>;

/**
 * In a bucket nothing can be moved aside and looked at once more, as in a folder, so whoever places a blob there holds a lock in the database of its rows, which its
 * collector waits for: shared, its number the first 64 bits of the SHA-256. It is held until the blob is young; from then on its grace protects it.
 */
export function uncollected(pool: pg.Pool): Uncollected {
  return async (sha256, work) => {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      // It holds nothing else, so an upload may take its time.
      await client.query("BEGIN; SET LOCAL idle_in_transaction_session_timeout = '120s'");
      await client.query(`SELECT pg_advisory_xact_lock_shared(('x' || left($1, 16))::bit(64)::bigint)`, [
        sha256,
      ]);
      const result = await work();
      // Fails when the lock was lost meanwhile; the blob is then carried again.
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((failed: Error) => void (broken = failed));
      throw error;
    } finally {
      client.release(broken);
    }
  };
}
