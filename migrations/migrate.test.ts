import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { testDatabase, type TestDatabase } from '../test/support/postgres.ts';
import { migrate } from './migrate.ts';

describe('migrations', () => {
  let database: TestDatabase;
  let folder: string;
  beforeEach(async () => {
    database = await testDatabase();
    folder = mkdtempSync(join(tmpdir(), 'sql-'));
    mkdirSync(join(folder, 'monolith'));
    write('000001_log.sql', 'CREATE TABLE runs (n int);');
    write('000002_row.sql', 'INSERT INTO runs VALUES (2);');
  });
  afterEach(async () => {
    await database.drop();
    rmSync(folder, { recursive: true });
  });
  const write = (name: string, sql: string): void => writeFileSync(join(folder, 'monolith', name), sql);
  const run = () => migrate({ url: database.url, set: 'monolith', folder });
  const runs = async (): Promise<unknown> => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query<{ n: number }>('SELECT n FROM runs ORDER BY n');
    await client.end();
    return rows.map(({ n }) => n);
  };

  it('applies what is new, in order, once', async () => {
    assert.deepEqual(await run(), ['000001_log.sql', '000002_row.sql']);
    assert.deepEqual(await run(), []);
    write('000003_row.sql', 'INSERT INTO runs VALUES (3);');
    assert.deepEqual(await run(), ['000003_row.sql']);
    assert.deepEqual(await runs(), [2, 3]);
  });

  it('runs each file once when many runners start together', async () => {
    const script = `import { migrate } from ${JSON.stringify(join(import.meta.dirname, 'migrate.ts'))}; console.log((await migrate(JSON.parse(process.argv[1]))).length)`;
    const runners = [...Array(4).keys()].map(async () => {
      const child = spawn(
        process.execPath,
        ['--input-type=module', '-e', script, JSON.stringify({ url: database.url, set: 'monolith', folder })],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      await once(child, 'close');
      return Number(out);
    });
    const applied = await Promise.all([...runners, run().then((names) => names.length)]);
    assert.equal(
      applied.reduce((sum, each) => sum + each, 0),
      2,
      applied.join(' '),
    );
    assert.deepEqual(await runs(), [2]);
  });

  it('names file and line of what fails, and leaves nothing of it', async () => {
    write('000003_bad.sql', 'INSERT INTO runs VALUES (3);\n\nSELECT nonsense;');
    await assert.rejects(
      run(),
      /monolith\/000003_bad\.sql:3: column "nonsense" does not exist.*nothing of this file was applied/,
    );
    assert.deepEqual(await runs(), [2]);
  });

  it('refuses a file that was changed after it was applied, and a database that is newer', async () => {
    await run();
    write('000002_row.sql', 'INSERT INTO runs VALUES (22);');
    await assert.rejects(run(), /000002_row\.sql has changed since it was applied/);
    rmSync(join(folder, 'monolith', '000002_row.sql'));
    await assert.rejects(
      run(),
      /000002_row\.sql was applied to this database, but this version does not have it/,
    );
  });

  it('refuses numbers that repeat or leave gaps', async () => {
    write('000002_other.sql', 'SELECT 1;');
    await assert.rejects(run(), /number should be 000003/);
  });

  it('brings the real sets into a database, and gives the service no more than it needs', async () => {
    await migrate({ url: database.url, set: 'monolith' });
    await migrate({ url: database.url, set: 'image-api' });
    const client = new pg.Client({ connectionString: database.urlFor('image_api') });
    await client.connect();
    await client.query('SELECT id FROM images');
    for (const sql of [
      'SELECT email FROM users',
      'SELECT name FROM products',
      'UPDATE images SET file = file',
      'DELETE FROM products',
      'SELECT private_jwk FROM signing_keys',
    ]) {
      await assert.rejects(client.query(sql), /permission denied/, sql);
    }
    await client.end();
  });
});
