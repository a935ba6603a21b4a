import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { testDatabase, type TestDatabase } from '../test/support/postgres.ts';
import { migrate, type MigrateOptions } from './migrate.ts';

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
  /** A process that migrates each time it is told to, so that two of them start within a moment of each other. */
  function startRunner(): { migrate(): Promise<string[]>; end(): Promise<void> } {
    const script = `
      import { migrate } from ${JSON.stringify(join(import.meta.dirname, 'migrate.ts'))};
      process.on('message', async (options) => process.send(await migrate(options).catch((error) => [error.message])));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    return {
      async migrate() {
        child.send({ url: database.url, set: 'monolith', folder });
        return ((await once(child, 'message')) as [string[]])[0];
      },
      async end() {
        const exited = once(child, 'exit');
        child.disconnect();
        await exited;
      },
    };
  }
  const run = (options: Partial<MigrateOptions> = {}): Promise<string[]> =>
    migrate({ url: database.url, set: 'monolith', folder, ...options });
  const ask = async (sql: string): Promise<unknown[][]> => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
      return rows;
    } finally {
      await client.end();
    }
  };
  const runs = async (): Promise<unknown[]> => (await ask('SELECT n FROM runs ORDER BY n')).flat();

  it('applies what is new, in order, once', async () => {
    assert.deepEqual(await run(), ['000001_log.sql', '000002_row.sql']);
    assert.deepEqual(await run(), []);
    write('000003_row.sql', 'INSERT INTO runs VALUES (3);');
    assert.deepEqual(await run(), ['000003_row.sql']);
    assert.deepEqual(await runs(), [2, 3]);
  });

  it('runs each file once when two processes race, 20 times', async () => {
    const runners = [startRunner(), startRunner()];
    try {
      for (let round = 0; round < 20; round += 1) {
        await ask('DROP SCHEMA IF EXISTS strangler CASCADE');
        await ask('DROP TABLE IF EXISTS runs');
        const applied = await Promise.all(runners.map((runner) => runner.migrate()));
        assert.deepEqual(applied.flat().sort(), ['000001_log.sql', '000002_row.sql'], `round ${round}`);
        assert.deepEqual(await runs(), [2]);
      }
    } finally {
      await Promise.all(runners.map((runner) => runner.end()));
    }
  });

  it('names file and line of what fails, and leaves nothing of it', async () => {
    write('000003_bad.sql', 'INSERT INTO runs VALUES (3);\n\nSELECT nonsense;');
    await assert.rejects(
      run(),
      /monolith\/000003_bad\.sql:3: column "nonsense" does not exist.*nothing of this file was applied/,
    );
    assert.deepEqual(await runs(), [2]);
  });

  it('names the line also of what fails only when it runs', async () => {
    write(
      '000003_bad.sql',
      '-- é\nINSERT INTO runs VALUES (3);\n\n-- twice\nSELECT 1 / (SELECT 0);\nSELECT 2;',
    );
    await assert.rejects(run(), /monolith\/000003_bad\.sql:5: division by zero; nothing of this file/);
    assert.deepEqual(await runs(), [2]);
  });

  it('refuses a file that ends its own transaction, before anything is applied', async () => {
    write('000003_commit.sql', 'INSERT INTO runs VALUES (3);\nCOMMIT;\nSELECT nonsense;');
    await assert.rejects(run(), /000003_commit\.sql:2: COMMIT would tear the file apart/);
    await assert.rejects(runs(), /"runs" does not exist/);
  });

  it('gives up a file that waits too long for a lock or takes too long', async () => {
    await run();
    write('000003_slow.sql', 'ALTER TABLE runs ADD m int;\nSELECT pg_sleep(60);');
    await assert.rejects(run({ statementTimeout: 1000 }), /000003_slow\.sql:2: .*statement timeout/);
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE runs IN ACCESS SHARE MODE');
      await assert.rejects(run({ lockTimeout: 100 }), /000003_slow\.sql:1: .*lock timeout/);
    } finally {
      await holder.end();
    }
  });

  it('lets no setting of one file reach the next', async () => {
    write('000003_set.sql', "SET search_path = ''; SET ROLE pg_monitor;");
    write('000004_row.sql', 'INSERT INTO runs VALUES (4);');
    await run();
    assert.deepEqual(await runs(), [2, 4]);
  });

  it('takes other line ends for the same file', async () => {
    write('000003_lines.sql', 'INSERT INTO runs\nVALUES (3);\n');
    await run();
    write('000003_lines.sql', 'INSERT INTO runs\r\nVALUES (3);\r\n');
    assert.deepEqual(await run(), []);
  });

  it('says when it can not reach the database', async () => {
    const url = 'postgres://postgres@/x?host=/nonexistent';
    await assert.rejects(
      migrate({ url, set: 'monolith' }),
      /monolith: can't reach the database: .*nonexistent/,
    );
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
