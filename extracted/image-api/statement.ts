import type pg from 'pg';

/**
 * One statement on a connection of the pool, which goes back whole. `pool.query` closes the connection after each error, and while data moves the database refuses
 * every write that belongs elsewhere: a new connection for each of them costs more than the writes. A broken one is closed.
 */
export async function statement<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  sql: string,
  values: readonly unknown[],
): Promise<pg.QueryResult<Row>> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that ends says so here too; unheard, that would end the process.
  const onError = (error: Error): void => void (broken = error);
  client.on('error', onError);
  try {
    return await client.query<Row>(sql, [...values]);
  } catch (error) {
    // What is worse than an ERROR is the last that a connection says, and it may say so before it ends.
    if ((error as { severity?: string }).severity !== 'ERROR') broken = error as Error;
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
