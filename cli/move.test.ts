import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testMove, THINGS, type TestMove } from '../test/support/move.ts';
import { until } from '../test/support/until.ts';

describe('strangler move', () => {
  let test: TestMove;
  let folder: string;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moves-'));
    writeFileSync(join(folder, 'things.ts'), `export default ${JSON.stringify(THINGS)};`);
    test = await testMove();
    await test.young.query('ALTER TABLE things ALTER id DROP IDENTITY');
    await test.old.query('INSERT INTO things (id, owner) SELECT i, i FROM generate_series(1, 300) i');
  });
  after(async () => {
    await test.close();
    rmSync(folder, { recursive: true });
  });

  const args = (...words: string[]): string[] => [
    join(import.meta.dirname, 'main.ts'),
    'move',
    ...words,
    '--moves',
    folder,
  ];
  const env = (): NodeJS.ProcessEnv => ({
    ...process.env,
    DATABASE_URL: test.databases[0]!.url,
    IMAGE_DATABASE_URL: test.databases[1]!.url,
  });
  const strangler = (...words: string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      execFile(process.execPath, args(...words), { env: env() }, (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
    });
  const json = async (...words: string[]): Promise<any> => {
    const { code, out, err } = await strangler(...words, '--json');
    assert.equal(code, 0, err);
    return JSON.parse(out);
  };

  it('starts nothing that the plan refuses, and says why', async () => {
    await test.young.query('ALTER TABLE things ALTER owner DROP NOT NULL');
    const { code, err } = await strangler('start', 'things');
    assert.equal(code, 1);
    assert.match(err, /may be NULL.*owner\.null.*\n *remedy:/);
    await test.young.query('ALTER TABLE things ALTER owner SET NOT NULL');
  });

  it('says that it has not started', async () => {
    for (const verb of ['status', 'verify']) {
      const { code, err } = await strangler(verb, 'things');
      assert.deepEqual([code, err], [2, 'the move things has not started: strangler move start things\n']);
    }
  });

  it('goes from start to complete, and back in between', async function () {
    this.timeout(120_000);
    assert.equal((await json('start', 'things')).phase, 'backfill');
    const early = await strangler('ramp', 'things', '10');
    assert.equal(early.code, 1);
    assert.match(early.err, /in the phase backfill/);
    assert.equal((await json('reverse', 'things')).phase, 'backfill', 'nothing has left, so all is back');
    const runner = spawn(process.execPath, args('run', 'things', '--json'), {
      env: env(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let told = '';
      runner.stdout.on('data', (text) => (told += String(text)));
      await until(
        () => told.includes('"phase":"ramp"'),
        () => `the phase ramp: ${told.slice(-500)}`,
        60_000,
      );
      assert.equal((await json('ramp', 'things', '10')).buckets.atNew, 102);
      assert.equal((await json('reverse', 'things')).buckets.atNew, 0);
      const all = await json('ramp', 'things', '100');
      assert.deepEqual([all.phase, all.buckets.atNew], ['soak', 1024]);
      await assert.rejects(test.old.query('UPDATE things SET n = 1'), { code: 'SK421' });
      await test.young.query('UPDATE things SET n = 1');
      // An empty word is what a variable leaves that is not set.
      for (const percent of ['', '101', '1e2']) {
        const { code, err } = await strangler('ramp', 'things', percent);
        assert.deepEqual([code, err], [2, `"${percent}" is not a whole number from 0 to 100\n`]);
      }
      const [from, to] = test.databases.map(({ url }) => url);
      const exchanged = await strangler('reverse', 'things', '--from', to!, '--to', from!);
      assert.equal(exchanged.code, 2);
      assert.match(exchanged.err, /the database given for monolith is that of image-api: --from names/);
      assert.equal((await json('status', 'things')).buckets.atNew, 1024);
      assert.equal((await strangler('cancel', 'things')).code, 1);
      assert.deepEqual((await json('verify', 'things')).corrupt, []);
      const exit = once(runner, 'exit');
      assert.equal((await json('complete', 'things')).phase, 'complete');
      assert.deepEqual(await exit, [0, null]);
    } finally {
      runner.kill('SIGKILL');
    }
    await test.young.query('UPDATE things SET n = 2');
    await assert.rejects(test.old.query('UPDATE things SET n = 1'), { code: 'SK421' });
    assert.match((await strangler('status', 'things')).out, /things: complete, 1024 of 1024 buckets/);
  });

  it('says what is missing', async () => {
    assert.match((await strangler('status', 'nothing')).err, /there is no move "nothing"/);
    const away = await strangler('status', 'things', '--to', 'postgres://postgres@/x?host=/nonexistent');
    assert.equal(away.code, 2);
    assert.match(away.err, /image-api: .*nonexistent/);
  });
});
