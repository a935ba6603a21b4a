import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, globSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { until } from '../test/support/until.ts';
import { startPostgres } from './postgres.ts';

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

const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

describe('the embedded Postgres', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'embedded-'));
    chmodSync(dir, 0o711);
  });
  afterEach(() => {
    // Where root's server keeps its data when this folder is closed to it.
    for (const link of globSync(join(dir, '**/moved-to'))) rmSync(realpathSync(link), { recursive: true });
    rmSync(dir, { recursive: true, force: true });
  });

  it('keeps its data from start to start, and its port closed', async () => {
    const first = await startPostgres({ dir, durable: false });
    await first.createDatabase('shop');
    await first.createDatabase('shop');
    await ask(first.url(), 'CREATE TABLE t AS SELECT 7 AS n');
    assert.deepEqual(await ask(first.url(), 'SHOW listen_addresses'), [{ listen_addresses: '' }]);
    await first.stop();
    const second = await startPostgres({ dir, durable: false });
    assert.deepEqual(await ask(second.url(), 'SELECT n FROM t'), [{ n: 7 }]);
    await second.stop();
  });

  it('comes back after kill -9', async () => {
    const postgres = await startPostgres({ dir, durable: false });
    const killed = postgres.pid();
    process.kill(killed, 'SIGKILL');
    await until(
      () =>
        postgres.pid() !== killed &&
        ask(postgres.url('postgres'), 'SELECT 1').then(
          () => true,
          () => false,
        ),
      'the server to come back',
    );
    await postgres.stop();
  });

  it('refuses a second server on the same folder, naming who runs the first', async () => {
    const child = spawn(process.execPath, [LAUNCHER, '--dir', dir], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(createInterface({ input: child.stdout }), 'line');
    await assert.rejects(startPostgres({ dir }), new RegExp(`process ${child.pid} already runs`));
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
  });

  it('dies with its parent, and what a parent left is taken over', async () => {
    const child = spawn(process.execPath, [LAUNCHER, '--dir', dir], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const [{ pid } = {}] = await ask(
      url,
      `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid`,
    );
    child.kill('SIGKILL');
    await until(() => !isAlive(pid as number), 'the server to follow its parent');
    const next = await startPostgres({ dir });
    assert.deepEqual(await ask(next.url(), 'SELECT 1 AS one'), [{ one: 1 }]);
    await next.stop();
  });

  it('works below a folder that only its owner may enter', async () => {
    chmodSync(dir, 0o700);
    const postgres = await startPostgres({ dir: join(dir, 'deep/.data/postgres'), durable: false });
    assert.deepEqual(await ask(postgres.url('postgres'), 'SELECT 1 AS one'), [{ one: 1 }]);
    await postgres.stop();
  });
});
