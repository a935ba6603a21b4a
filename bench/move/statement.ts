import type pg from 'pg';

/** One statement on a connection of a pool, which goes back whole: `pool.query` would close it after each row that the fence refuses. */
export async function statement(pool: pg.Pool, config: pg.QueryConfig): Promise<pg.QueryResult> {
  const client = await pool.connect();
  const onError = (): void => undefined;
  client.on('error', onError);
  try {
    return await client.query(config);
  } finally {
    client.off('error', onError);
    client.release();
  }
}
