import pg from 'pg';
import { checkDescription, type MoveDescription, type Row } from './description.ts';
import { readShape, type Column } from './columns.ts';

/** One of the two databases of a move. */
export interface Side {
  readonly name: string;
  readonly url: string;
  readonly pool: pg.Pool;
  /** Quoted, with the schema. */
  readonly table: string;
  /** The columns that travel, in the table's order. */
  readonly columns: readonly Column[];
  readonly fingerprint: string;
  /** Its row for a row of the other side. */
  readonly adopt: (row: Row) => Row;
}

/** A move with its databases open. */
export interface Move {
  readonly description: MoveDescription;
  /** Where the rows are when the move starts. */
  readonly from: Side;
  readonly to: Side;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly from: string;
  readonly to: string;
  /** Connections to each database at most. Default 8. */
  readonly connections?: number;
}

/**
 * What makes a value's text the same in every session, and lets no name be taken for another. `idle_in_transaction_session_timeout` ends the
 * transaction of a process that was stopped in the middle of it, so that it holds no fence for longer.
 */
const SESSION = `SET search_path = pg_catalog; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex';
  SET extra_float_digits = 1; SET synchronous_commit = on; SET idle_in_transaction_session_timeout = '10s'; SET lc_monetary = 'C'; SET xmloption = 'content'`;

/** Opens both databases and reads the tables' columns. Throws when one can't be reached or a table is missing. */
export async function openMove(description: MoveDescription, options: OpenOptions): Promise<Move> {
  checkDescription(description);
  const { sides, newOnly = [], oldOnly = [], up, down } = description;
  const pools = [options.from, options.to].map((url) => openPool(url, options.connections ?? 8));
  const close = async (): Promise<void> => void (await Promise.all(pools.map((pool) => pool.end())));
  const open = async (
    name: string,
    url: string,
    pool: pg.Pool,
    table: string,
    without: readonly string[],
    adopt: (row: Row) => Row,
  ): Promise<Side> => {
    const shape = await readShape(pool, table).catch((error: Error) => {
      throw new Error(`${name}: ${error.message}`, { cause: error });
    });
    return {
      ...shape,
      name,
      url,
      pool,
      adopt,
      columns: shape.columns.filter((c) => !without.includes(c.name)),
    };
  };
  try {
    const [from, to] = await Promise.all([
      open(sides.from, options.from, pools[0]!, description.fromTable, oldOnly, down ?? ((row) => row)),
      open(sides.to, options.to, pools[1]!, description.toTable, newOnly, up ?? ((row) => row)),
    ]);
    return { description, from, to, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function openPool(connectionString: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max,
    application_name: 'strangler-move',
    async onConnect(client) {
      // A server that goes away is told by the query that needed it; without listeners it would end the process.
      client.on('error', () => undefined);
      await client.query(SESSION);
    },
  });
  pool.on('error', () => undefined);
  return pool;
}

/** Runs `work` in one transaction of a side, under a limit in milliseconds for each wait for a lock. Rolls back when it throws. */
export async function transaction<T>(
  side: Pick<Side, 'pool'>,
  lockTimeout: number,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await side.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(
      `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = ${Math.trunc(lockTimeout)}`,
    );
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failed: Error) => void (broken = failed));
    throw error;
  } finally {
    client.release(broken);
  }
}
