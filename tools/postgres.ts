import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { accountFor } from './postgres/account.ts';
import { postgresBinaries } from './postgres/binaries.ts';
import {
  makeDataFolder,
  makePrivateFolder,
  makeSocketFolder,
  removeSocketFolder,
} from './postgres/folders.ts';
import { lockFolder } from './postgres/lock.ts';
import { startServer, stopServer, type Server } from './postgres/server.ts';
import { endStaleServers } from './postgres/stale.ts';

/*
 * A real Postgres for development and tests, from npm packages, on a Unix socket.
 *
 * DIR/          0700, of the user who launches
 *   data/       0700, of the account the server runs as: that user, or for root `nobody`
 *   socket/     0700, likewise, made anew at each start
 *
 * The server gets `data` and `socket` as open descriptors and knows them as /proc/self/fd/3 and 4. So it works wherever the clone lies: a
 * descriptor needs no right to pass the folders above, which `nobody` lacks below /root or any folder with mode 0700. And as
 * DIR itself is closed to `nobody`, no other process of that account reaches the data or the socket, on which everyone is trusted.
 */

export interface PostgresOptions {
  /** The folder for data and socket; made when missing. */
  readonly dir: string;
  /** Gets the server's own lines and ours. Default: none. */
  readonly log?: (line: string) => void;
  /** Whether commits survive a power cut. Default true; false is for tests. */
  readonly durable?: boolean;
  /** Whether a server that ends by itself (kill -9) is started again. Default true. */
  readonly restart?: boolean;
  /** Milliseconds until the server must accept connections. Default 60,000: it may have to recover. */
  readonly startDeadline?: number;
  /** Milliseconds for a fast shutdown, after which the server quits at once. Default 10,000. */
  readonly stopDeadline?: number;
}

export interface Postgres {
  /** A URL for `pg` and libpq, through the socket. Defaults: the database `shop`, as the superuser `postgres`. */
  url(database?: string, user?: string): string;
  /** Creates a database, owned by `postgres`, unless it is there. */
  createDatabase(name: string): Promise<void>;
  /** Fast shutdown. Resolves when no process is left; may be called twice. */
  stop(): Promise<void>;
  /** The postmaster's process number; another one after a restart. */
  pid(): number;
}

/** Starts the server and resolves when it accepts connections. Rejects with a sentence that says what to do. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { log = () => {}, durable = true, startDeadline = 60_000, stopDeadline = 10_000 } = options;
  const dir = resolve(options.dir);
  const data = join(dir, 'data');
  makePrivateFolder(dir);
  const unlock = await lockFolder(dir);
  try {
    const account = accountFor(data);
    const native = postgresBinaries(account);
    makeDataFolder(data, { native, account, durable });
    await endStaleServers(data, { log });
    const socket = makeSocketFolder(dir, account);
    const start = (): Promise<Server> =>
      startServer({ native, account, data, socket, durable, log, startDeadline });
    const running = keepRunning(await start(), options.restart ?? true, log, async () => {
      await endStaleServers(data, { log });
      return start();
    });

    const url = (database = 'shop', user = 'postgres'): string =>
      `postgres://${encodeURIComponent(user)}@/${encodeURIComponent(database)}?host=${encodeURIComponent(socket)}&port=5432`;
    let stopped: Promise<void> | undefined;
    return {
      url,
      createDatabase: (name) => createDatabase(url('postgres'), name),
      stop: () =>
        (stopped ??= running.end(stopDeadline).finally(() => {
          removeSocketFolder(dir);
          unlock();
        })),
      pid: () => running.server().pid,
    };
  } catch (error) {
    removeSocketFolder(dir);
    unlock();
    throw error;
  }
}

/** Watches a server and, if it should, starts it again when it ends by itself. */
function keepRunning(
  first: Server,
  restart: boolean,
  log: (line: string) => void,
  start: () => Promise<Server>,
): { server(): Server; end(deadline: number): Promise<void> } {
  let server = first;
  const ending = new AbortController();
  const { signal } = ending;

  async function watch(): Promise<void> {
    for (let failures = 0; ;) {
      const uptime = await server.ended;
      if (signal.aborted) return;
      // At once after an accident; later, up to a second, when it does not stay up.
      failures = uptime > 10_000 ? 0 : failures + 1;
      log('Postgres ended by itself and is started again');
      await wait(failures < 2 ? 0 : Math.min(1000, 100 * 2 ** failures), undefined, { signal }).catch(
        () => {},
      );
      if (signal.aborted) return;
      server = await start().catch((error: Error) => {
        log(error.message);
        return server;
      });
    }
  }
  const watching = restart ? watch() : Promise.resolve();

  return {
    server: () => server,
    async end(deadline) {
      ending.abort();
      await stopServer(server, deadline);
      // A restart that was under way is finished first: what it started has to be stopped too.
      await watching;
      await stopServer(server, deadline);
    },
  };
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  } catch (error) {
    // Somebody else made it between the two queries: duplicate_database, or the unique index of pg_database.
    if (!['42P04', '23505'].includes((error as { code?: string }).code ?? '')) throw error;
  } finally {
    await client.end();
  }
}

/** `node tools/postgres.ts --dir DIR`: prints the URL of the database and runs until SIGTERM or SIGINT. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { dir: { type: 'string' }, database: { type: 'string', default: 'shop' } },
  });
  if (!values.dir) throw new Error('usage: node tools/postgres.ts --dir DIR [--database NAME]');
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const postgres = await startPostgres({ dir: values.dir, log });
  await postgres.createDatabase(values.database);
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => void postgres.stop().then(() => process.exit(0)));
  // Last: who has read the URL may end us at once.
  process.stdout.write(`${postgres.url(values.database)}\n`);
}

if (import.meta.main)
  await main().catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
