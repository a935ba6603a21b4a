import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { choosePlace, type Place } from './postgres-place.ts';

export interface PostgresOptions {
  /** Folder for the data; kept from start to start. */
  readonly dir: string;
  /** false: no fsync, for tests whose data nobody will miss. Default true. */
  readonly durable?: boolean;
  readonly log?: (line: string) => void;
}

export interface Postgres {
  /** Connection string through the Unix socket. Default: the database `shop`, as its owner. */
  url(database?: string, user?: string): string;
  createDatabase(name: string): Promise<void>;
  /** Of the server now; it changes when a killed server is started again. */
  pid(): number;
  stop(): Promise<void>;
}

/** Milliseconds: until a start is given up, and until a polite stop becomes an immediate one. */
const START = 60_000;
const STOP = 10_000;

/**
 * Starts a real Postgres from the pinned npm binaries, on a Unix socket only (a TCP port would collide, and be open to every user of the machine). It
 * dies with this process (a signal set by setpriv), is started again when it was killed, and a server that an earlier life left behind
 * is stopped first. Throws when another live process runs one on the same folder.
 */
export async function startPostgres({
  dir,
  durable = true,
  log = () => {},
}: PostgresOptions): Promise<Postgres> {
  const place = choosePlace(dir);
  const owner = claim(place);
  await stopStale(place, log);
  if (!existsSync(join(place.data, 'PG_VERSION'))) initialise(place, durable);
  let isStopping = false;
  let server = launch(place, durable, log);
  const watch = (child: ChildProcess): void => {
    child.once('exit', (code, signal) => {
      if (isStopping) return;
      log(`postgres ended (${signal ?? code}); starting it again`);
      // Its children notice the death of their parent within moments; a start before that is refused and tried again.
      void wait(100).then(() => {
        if (isStopping) return;
        server = launch(place, durable, log);
        watch(server);
      });
    });
  };
  watch(server);
  const url = (database = 'shop', user = 'postgres'): string =>
    `postgres://${user}@localhost/${encodeURIComponent(database)}?host=${encodeURIComponent(place.sockets)}`;
  const stop = async (): Promise<void> => {
    isStopping = true;
    if (server.exitCode === null && server.signalCode === null) {
      const exited = once(server, 'exit');
      process.kill(serverPid(place) ?? server.pid!, 'SIGINT');
      const hurry = setTimeout(() => process.kill(serverPid(place) ?? server.pid!, 'SIGQUIT'), STOP);
      await exited;
      clearTimeout(hurry);
    }
    rmSync(owner, { force: true });
    rmSync(place.sockets, { recursive: true, force: true });
  };
  try {
    await untilReady(url('postgres'), () => server);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    pid: () => server.pid!,
    stop,
    async createDatabase(name) {
      const client = new pg.Client({ connectionString: url('postgres') });
      await client.connect();
      try {
        const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
        if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
      } finally {
        await client.end();
      }
    },
  };
}

/** One launcher a data folder: a second would pull the server from under the first. Answers the file that says so. */
function claim(place: Place): string {
  const file = join(place.data, '..', 'launcher.pid');
  const holder = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (holder > 0 && holder !== process.pid && isNode(holder))
    throw new Error(
      `process ${holder} already runs a Postgres on ${place.data}; stop it first, or choose another DATA_DIR`,
    );
  writeFileSync(file, String(process.pid));
  return file;
}

/** Guards against a pid that was given to another program since. */
function isNode(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]!.includes('node');
  } catch {
    return false;
  }
}

function serverPid(place: Place): number | null {
  try {
    const pid = Number(readFileSync(join(place.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(place.data) ? pid : null;
  } catch {
    return null;
  }
}

async function stopStale(place: Place, log: (line: string) => void): Promise<void> {
  const pid = serverPid(place);
  if (pid === null) return;
  log(`stopping a Postgres that was left running (${pid})`);
  process.kill(pid, 'SIGINT');
  for (const end = Date.now() + STOP; serverPid(place) !== null; await wait(50)) {
    if (Date.now() > end) {
      process.kill(pid, 'SIGQUIT');
      return;
    }
  }
}

function initialise(place: Place, durable: boolean): void {
  const args = [
    '-D',
    place.data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    ...(durable ? [] : ['--no-sync']),
  ];
  const result = spawnSync(join(place.bin, 'initdb'), args, {
    ...(place.runAs ?? {}),
    cwd: '/',
    encoding: 'utf8',
  });
  if (result.status !== 0)
    throw new Error(`initdb failed in ${place.data}: ${result.error?.message ?? result.stderr.trim()}`);
}

function launch(place: Place, durable: boolean, log: (line: string) => void): ChildProcess {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: place.sockets,
    unix_socket_permissions: '0700',
    max_connections: '200',
    shared_buffers: '64MB',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  const command = [
    join(place.bin, 'postgres'),
    '-D',
    place.data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const identity = place.runAs
    ? ['--reuid', String(place.runAs.uid), '--regid', String(place.runAs.gid), '--clear-groups']
    : [];
  // SIGINT is Postgres' fast shutdown: it reaches the server when this process is gone, however it went. A session of its own keeps a
  // terminal's Ctrl-C away, so that the services that use the server can end first.
  const child = spawn('setpriv', ['--pdeathsig', 'INT', ...identity, ...command], {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  child.stderr!.on('data', (chunk: Buffer) =>
    chunk
      .toString()
      .split('\n')
      .forEach((line) => line && log(line)),
  );
  child.on('error', (error) => log(`postgres can't be started: ${error.message}`));
  return child;
}

async function untilReady(url: string, server: () => ChildProcess): Promise<void> {
  for (const end = Date.now() + START; ; await wait(30)) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      await client.end().catch(() => {});
      if (Date.now() > end || server().pid === undefined)
        throw new Error(`the embedded Postgres does not start: ${(error as Error).message}`, {
          cause: error,
        });
    }
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { dir: { type: 'string', default: '.data/postgres' } } });
  const postgres = await startPostgres({ dir: values.dir, log: (line) => process.stderr.write(`${line}\n`) });
  await postgres.createDatabase('shop');
  process.stdout.write(`${postgres.url()}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void postgres.stop().then(() => process.exit(0)));
}
