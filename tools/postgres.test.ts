import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { until } from '../test/support/until.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { serversIn } from './postgres/stale.ts';

const LAUNCHER = join(import.meta.dirname, 'postgres.ts');

async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

const answers = (url: string): Promise<boolean> =>
  ask(url, 'SELECT 1').then(
    () => true,
    () => false,
  );

describe('the embedded Postgres', function () {
  this.timeout(60_000);
  let dir: string;
  let running: Postgres[];
  let children: ChildProcess[];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'embedded-'));
    running = [];
    children = [];
  });
  afterEach(async () => {
    await Promise.all(running.map((postgres) => postgres.stop()));
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(dir, { recursive: true, force: true });
  });

  async function start(options: Partial<Parameters<typeof startPostgres>[0]> = {}): Promise<Postgres> {
    const postgres = await startPostgres({ dir, durable: false, ...options });
    running.push(postgres);
    return postgres;
  }

  /** The launcher as a process of its own, whose parent can be killed. */
  async function startChild(): Promise<{ child: ChildProcess; url: string }> {
    const child = spawn(process.execPath, [LAUNCHER, '--dir', dir], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(child);
    const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return { child, url };
  }

  it('keeps its data from start to start, in the folder it was given, with no port open', async () => {
    const first = await start();
    await first.createDatabase('shop');
    await first.createDatabase('shop');
    await ask(first.url(), 'CREATE TABLE t AS SELECT 7 AS n');
    assert.deepEqual(await ask(first.url(), 'SHOW listen_addresses'), [{ listen_addresses: '' }]);
    assert.deepEqual(await ask(first.url(), 'SHOW server_encoding'), [{ server_encoding: 'UTF8' }]);
    assert.deepEqual(await ask(first.url(), 'SHOW max_connections'), [{ max_connections: '200' }]);
    assert.ok(existsSync(join(dir, 'data/PG_VERSION')));
    await first.stop();
    await first.stop();
    assert.deepEqual(serversIn(join(dir, 'data')), []);
    const second = await start();
    assert.deepEqual(await ask(second.url(), 'SELECT n FROM t'), [{ n: 7 }]);
  });

  it('lets nobody but its user near the data and the socket, where everyone is trusted', async () => {
    await start();
    for (const path of [dir, join(dir, 'data'), join(dir, 'socket')])
      assert.equal(statSync(path).mode & 0o777, 0o700, path);
    assert.equal(statSync(dir).uid, process.getuid!());
  });

  it('takes no setting from our environment', async () => {
    process.env['PGPORT'] = '1';
    try {
      const postgres = await start();
      assert.deepEqual(await ask(postgres.url('postgres'), 'SHOW port'), [{ port: '5432' }]);
    } finally {
      delete process.env['PGPORT'];
    }
  });

  it('works where the path is too long for a socket, and has odd characters', async () => {
    const deep = join(dir, 'a,b "c" #d é?&=%41', 'x'.repeat(100), '.data');
    mkdirSync(deep, { recursive: true });
    const postgres = await start({ dir: deep });
    assert.deepEqual(await ask(postgres.url('postgres'), 'SELECT 1 AS one'), [{ one: 1 }]);
    const socket = decodeURIComponent(/host=([^&]*)/.exec(postgres.url())![1]!);
    await postgres.stop();
    assert.equal(existsSync(socket), false, 'the folder of the socket is removed');
  });

  it('comes back after kill -9, with what was committed', async () => {
    const postgres = await start({ durable: true });
    await ask(postgres.url('postgres'), 'CREATE TABLE t AS SELECT 7 AS n');
    const client = new pg.Client({ connectionString: postgres.url('postgres') });
    client.on('error', () => {});
    await client.connect();
    // A backend that is busy outlives its postmaster, and holds the shared memory that a new one must not share.
    const busy = client.query('SELECT pg_sleep(600)').catch(() => {});
    for (let round = 0; round < 3; round += 1) {
      const killed = postgres.pid();
      process.kill(killed, 'SIGKILL');
      await until(
        async () => postgres.pid() !== killed && (await answers(postgres.url('postgres'))),
        'the server to come back',
        20_000,
      );
    }
    await busy;
    assert.deepEqual(await ask(postgres.url('postgres'), 'SELECT n FROM t'), [{ n: 7 }]);
  });

  it('stays down after kill -9 when told not to restart', async () => {
    const postgres = await start({ restart: false });
    process.kill(postgres.pid(), 'SIGKILL');
    await until(() => serversIn(join(dir, 'data')).length === 0, 'its processes to end');
    await postgres.stop();
  });

  it('refuses a second launcher on the same folder, and lets the first go on', async () => {
    const { child, url } = await startChild();
    await assert.rejects(start(), /another process runs the Postgres in .*DATA_DIR/);
    assert.equal(await answers(url), true);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
    await start();
  });

  it('dies with its parent', async () => {
    const { child } = await startChild();
    assert.ok(serversIn(join(dir, 'data')).length > 0);
    child.kill('SIGKILL');
    await until(() => serversIn(join(dir, 'data')).length === 0, 'the server to follow its parent');
  });

  it('takes over at once what a killed parent left', async () => {
    const { child, url } = await startChild();
    await ask(url, 'CREATE TABLE t AS SELECT 7 AS n');
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    const next = await start();
    assert.deepEqual(await ask(next.url(), 'SELECT n FROM t'), [{ n: 7 }]);
  });

  it('says what the server said when it does not start', async () => {
    const postgres = await start();
    await postgres.stop();
    rmSync(join(dir, 'data/global/pg_control'));
    await assert.rejects(start(), /did not start on .*pg_control/s);
    assert.equal(readFileSync(join(dir, 'data/PG_VERSION'), 'utf8').trim(), '18');
  });
});
