import pg from 'pg';
import { checkDescription, swapped, type MoveDescription, type Row } from './description.ts';
import type { BlobFolders } from './blobs.ts';
import { blobsAt, type SideBlobs } from './side-blobs.ts';
import { uncollected } from './uncollected.ts';
import { PreparingClient } from './prepared.ts';
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
  /** Of a move with blobs. */
  readonly blobs?: SideBlobs | undefined;
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
  /** Connections to each database at most. Default 12. */
  readonly connections?: number;
  /** Where the files are; needed when the description has blobs. */
  readonly blobs?: BlobFolders | undefined;
  /** For a start: the way it is to go, the other way round after the move was completed and contracted. Without, the way it was started. */
  readonly swapped?: boolean;
}

/**
 * What makes a value's text the same in every session, and lets no name be taken for another. `idle_in_transaction_session_timeout` ends the
 * transaction of a process that was stopped in the middle of it, so that it holds no fence for longer. Statements here look a few rows up by their keys; of tables
 * that are filled as fast as these the planner knows too little to see that.
 */
const SESSION = `SET search_path = pg_catalog; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex';
  SET extra_float_digits = 1; SET synchronous_commit = on; SET idle_in_transaction_session_timeout = '10s'; SET lc_monetary = 'C'; SET xmloption = 'content';
  SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off;
  SET enable_seqscan = off`;

/**
 * Opens both databases and reads the tables' columns. A move that was started the other way round is opened so. Throws when a database can't be reached or a
 * table is missing.
 */
export async function openMove(described: MoveDescription, options: OpenOptions): Promise<Move> {
  const { sides } = checkDescription(described);
  const pools = new Map(
    [[sides.from, options.from] as const, [sides.to, options.to] as const].map(([name, url]) => [
      name,
      openPool(url, options.connections ?? 12),
    ]),
  );
  const close = async (): Promise<void> =>
    void (await Promise.all([...pools.values()].map((pool) => pool.end())));
  try {
    const started = await startOf(described.name, pools);
    const wanted = options.swapped === undefined ? undefined : sides[options.swapped ? 'to' : 'from'];
    if (wanted && started && (started.isOver ? started.at === wanted : started.at !== wanted))
      throw new Error(
        started.isOver
          ? `${described.name} has moved away from ${wanted} already`
          : `${described.name} has started at ${started.at}: complete it, then contract it, before it goes the other way`,
      );
    const startsAt = wanted ?? (started?.isOver === false ? started.at : sides.from);
    const description = startsAt === sides.to ? swapped(described) : described;
    const { fromTable, toTable, newOnly = [], oldOnly = [], up = same, down = same } = description;
    // Of the side that keeps blobs by their hash: there its collector asks.
    const owner = description.blob?.pathsAt === sides.from ? sides.to : sides.from;
    const blobs = options.blobs && { ...options.blobs, uncollected: uncollected(pools.get(owner)!) };
    const urls = { [sides.from]: options.from, [sides.to]: options.to };
    const open = async (
      name: string,
      table: string,
      without: readonly string[],
      adopt: Mapping,
    ): Promise<Side> => {
      const shape = await readShape(pools.get(name)!, table).catch((error: Error) => {
        throw new Error(`${name}: ${error.message}`, { cause: error });
      });
      return {
        ...shape,
        name,
        url: urls[name]!,
        pool: pools.get(name)!,
        adopt,
        columns: shape.columns.filter((column) => !without.includes(column.name)),
        blobs: blobsAt(description, blobs, name, name === description.sides.from ? up : down),
      };
    };
    const [from, to] = await Promise.all([
      open(description.sides.from, fromTable, oldOnly, down),
      open(description.sides.to, toTable, newOnly, up),
    ]);
    return { description, from, to, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Mapping = (row: Row) => Row;
const same: Mapping = (row) => row;

/**
 * The side a move started at, and whether it was contracted since; undefined when it has not started. Throws when a database is not the side it is taken for: a
 * handover would drain the wrong one.
 */
async function startOf(
  name: string,
  pools: ReadonlyMap<string, pg.Pool>,
): Promise<{ at: string; isOver: boolean } | undefined> {
  let started: { at: string; isOver: boolean } | undefined;
  for (const [side, pool] of pools) {
    const { rows } = await pool
      .query<{ side: string; at: string; isOver: boolean }>(
        `SELECT side, starts_at AS at, phase = 'contracted' AS "isOver" FROM strangler.move WHERE name = $1`,
        [name],
      )
      .catch((error: Error & { code?: string }) => {
        if (error.code === '42P01') return { rows: [] };
        throw new Error(`${side}: ${error.message}`, { cause: error });
      });
    const [found] = rows;
    if (found && found.side !== side)
      throw new Error(
        `${name}: the database given for ${side} is that of ${found.side}: --from names the database of ${[...pools.keys()].join(', --to that of ')}`,
      );
    started ??= found;
  }
  return started;
}

function openPool(connectionString: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max,
    Client: PreparingClient,
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

/**
 * Runs `work` in one transaction of a side, under a limit in milliseconds for each wait for a lock. Rolls back when it throws. `first`: statements without
 * results that go with BEGIN, in one round trip.
 */
export async function transaction<T>(
  side: Pick<Side, 'pool'>,
  lockTimeout: number,
  work: (client: pg.PoolClient) => Promise<T>,
  first = '',
): Promise<T> {
  const client = await side.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(
      `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = ${Math.trunc(lockTimeout)}; ${first}`,
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
