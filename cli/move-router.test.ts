import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JournalJson, MoveJson } from '@strangler-kit/router/admin/protocol.ts';
import type { MoveEntry } from '@strangler-kit/router/journal/journal.ts';
import { movingYaml } from '../test/support/moving.ts';
import { testMove, THINGS, type TestMove } from '../test/support/move.ts';
import { CANARY, runCli, startRouter, type RouterProcess } from '../test/support/router.ts';
import { until } from '../test/support/until.ts';
import { readsLeftBehind } from './commands/move-router.ts';

describe('strangler move and the router', function () {
  this.timeout(240_000);
  let test: TestMove;
  let router: RouterProcess;
  let folder: string;
  let runner: ChildProcess | null = null;
  let exit: Promise<unknown[]>;
  let errors = '';
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moves-'));
    writeFileSync(join(folder, 'things.ts'), `export default ${JSON.stringify(THINGS)};`);
    test = await testMove();
    // As the plan demands: one side counts.
    await test.young.query('ALTER TABLE things ALTER id DROP IDENTITY');
    await test.old.query('INSERT INTO things (id, owner) SELECT i, i FROM generate_series(1, 300) i');
    router = await startRouter({
      yaml: movingYaml('http://127.0.0.1:1', 'http://127.0.0.1:2'),
      flags: CANARY(0),
    });
  });
  afterEach(async () => {
    runner?.kill('SIGKILL');
    runner = null;
    await router.stop();
    await test.close();
    rmSync(folder, { recursive: true });
  });

  const env = (token = router.token): NodeJS.ProcessEnv => ({
    ...process.env,
    DATABASE_URL: test.databases[0]!.url,
    IMAGE_DATABASE_URL: test.databases[1]!.url,
    STRANGLER_ADMIN_TOKEN: token,
  });
  const args = (...words: string[]): string[] => ['move', ...words, '--moves', folder];
  const strangler = (...words: string[]) =>
    runCli([...args(...words), '--admin', router.adminUrl], env(), router.dir);
  const run = (admin: string, token = router.token): void => {
    errors = '';
    runner = spawn(
      process.execPath,
      [join(import.meta.dirname, 'main.ts'), ...args('run', 'things', '--admin', admin)],
      { env: env(token), cwd: router.dir, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    exit = once(runner, 'close');
    runner.stderr!.on('data', (text) => (errors += String(text)));
  };
  const move = async (): Promise<MoveJson | null> => {
    const { status, body } = await router.admin('/api/moves/things');
    return status === 200 ? (body as unknown as MoveJson) : null;
  };
  const untilMove = async (condition: (now: MoveJson) => boolean): Promise<MoveJson> => {
    let last: MoveJson | null = null;
    await until(
      async () => (last = await move()) !== null && condition(last),
      () => `the move; it is ${JSON.stringify(last)}, and its runner said ${errors}`,
      60_000,
    );
    return last!;
  };
  /** Who did what, oldest first. */
  const journal = async (): Promise<MoveEntry[]> =>
    (
      (await router.admin('/api/journal?move=things')).body as unknown as JournalJson<MoveEntry>
    ).entries.toReversed();

  it('a runner reports, tries rows again when it is asked to, and tells its end', async () => {
    const early = await strangler('clear', 'things', '--why', 'nothing');
    assert.deepEqual([early.code, /has not started/.test(early.stderr)], [2, true]);
    assert.equal((await strangler('start', 'things')).code, 0);
    await test.young.query("ALTER TABLE things ADD CONSTRAINT good CHECK (word <> 'bad')");
    run(router.adminUrl);
    const ramping = await untilMove(({ phase }) => phase === 'ramp');
    assert.deepEqual([ramping.buckets.atOld, ramping.rows.known, ramping.silentSince], [1024, 300, null]);
    await test.old.query("INSERT INTO things (id, owner, word) VALUES (301, 1, 'bad')");
    const { parked } = await untilMove(({ parked }) => parked.length > 0);
    assert.deepEqual([parked[0]!.side, parked[0]!.key], ['monolith', '["301"]']);
    const { stdout } = await router.cli('status');
    assert.match(stdout, /move things: ramp, 1024 buckets at monolith, 0 at image-api \(0 % wanted\)/);
    assert.match(stdout, /; 1 parked/);
    assert.match(
      (await strangler('status', 'things')).stdout,
      /monolith +\["301"\] .*violates check constraint/,
    );
    assert.match(
      (await strangler('retry', 'things', '--key', '5')).stderr,
      /no row with the key 5 is parked/,
    );
    assert.equal((await strangler('retry', 'things', '--key', '301', '--why', 'let us see')).code, 0);
    await test.young.query('ALTER TABLE things DROP CONSTRAINT good');
    const asked = await router.admin('/api/moves/things/retry', {
      method: 'POST',
      body: JSON.stringify({ key: '["301"]', why: 'the constraint is gone', who: 'ana' }),
    });
    assert.equal(asked.status, 200);
    await untilMove(({ parked, retry }) => parked.length === 0 && retry === null);
    assert.equal((await strangler('cancel', 'things', '--why', 'another day')).code, 0);
    assert.deepEqual(await exit, [0, null]);
    assert.equal((await move())!.phase, 'cancelled');
    assert.deepEqual(
      (await journal()).flatMap(({ action, who, why }) => (who === 'mover' ? [] : [`${action}: ${why}`])),
      ['retry: let us see', 'retry: the constraint is gone (["301"])', 'cancel: another day'],
    );
    assert.doesNotMatch(errors, /nobody is told/);
  });

  it('what a verification found is taken away by name, and journalled', async () => {
    await strangler('start', 'things');
    run(router.adminUrl);
    await untilMove(({ phase }) => phase === 'ramp');
    await test.young.query(
      "BEGIN; SET LOCAL strangler.sync = 'things'; UPDATE things SET n = 9 WHERE id = 7; COMMIT",
    );
    const failed = await strangler('verify', 'things');
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /strangler move clear things --why/);
    await untilMove(({ corrupt }) => /key \["7"\]/.test(corrupt ?? ''));
    assert.match((await router.cli('status')).stdout, /THE SIDES DIFFER: key \["7"\]/);
    await test.old.query('UPDATE things SET id = id WHERE id = 7');
    assert.equal((await strangler('clear', 'things')).code, 2, 'a reason is needed');
    assert.match(
      (await strangler('clear', 'things', '--why', 'row 7 was written anew')).stdout,
      /taken away: key \["7"\]/,
    );
    await untilMove(({ corrupt, verifiedAgo }) => corrupt === null && verifiedAgo !== null);
    const entries = await journal();
    assert.deepEqual(
      entries
        .filter(({ action }) => /differ|clear/.test(action))
        .map(({ action, who }) => [action, who === 'mover']),
      [
        ['differ', true],
        ['clear', false],
      ],
    );
    assert.equal(entries.find(({ action }) => action === 'clear')!.why, 'row 7 was written anew');
    assert.equal((await strangler('ramp', 'things', '1')).code, 0);
  });

  it('a move is not completed while reads go on at the side that is left', async () => {
    await strangler('start', 'things');
    run(router.adminUrl);
    await untilMove(({ phase }) => phase === 'ramp');
    const ramped = await strangler('ramp', 'things', '100');
    assert.deepEqual([ramped.code, ramped.stderr], [0, '']);
    const refused = await strangler('complete', 'things');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /a copy at monolith that nobody updates/);
    assert.match(refused.stderr, /images is in canary: .*strangler promote images/);
    await untilMove(({ phase }) => phase === 'soak');
    assert.equal((await router.change('/images/promote', {})).status, 200);
    await router.change('/images/kill', {});
    assert.match((await strangler('complete', 'things')).stderr, /images is killed/);
    await router.change('/images/resume', {});
    const done = await strangler('complete', 'things', '--why', 'soaked for a week');
    assert.deepEqual([done.code, done.stderr], [0, '']);
    await untilMove(({ phase }) => phase === 'complete');
    // Its config still says that the data moves.
    for (const way of ['kill', 'rollback'])
      assert.equal((await router.change(`/images/${way}`, {})).status, 409, way);
    assert.deepEqual(
      (await journal()).filter(({ who }) => who !== 'mover').map(({ action }) => action),
      ['ramp', 'complete'],
    );
  });

  it('goes on without a router, and says so once', async () => {
    const gone = router.adminUrl;
    await router.kill('SIGKILL');
    await strangler('start', 'things');
    run(gone);
    const phase = async (): Promise<unknown> =>
      (await test.old.query('SELECT phase FROM strangler.move')).rows[0].phase;
    await until(async () => (await phase()) === 'ramp', 'the ramp without a router', 60_000);
    const ramped = await strangler('ramp', 'things', '100');
    assert.equal(ramped.code, 0);
    assert.match(ramped.stderr, /^nobody was asked whether writes go .*no router answers/);
    const completed = await strangler('complete', 'things');
    assert.equal(completed.code, 0);
    assert.match(completed.stderr, /^nobody was asked who still reads at monolith: no router answers at/);
    assert.deepEqual(await exit, [0, null]);
    assert.equal(errors.match(/nobody is told how it goes/g)?.length, 1, errors);
  });

  it('is refused by a router with another token, and goes on', async () => {
    await strangler('start', 'things');
    run(router.adminUrl, 'wrong');
    await until(
      () => errors.includes('this is not the token'),
      () => `the refusal: ${errors}`,
      30_000,
    );
    assert.equal(await move(), null);
  });
});

describe('reads that would be left behind by the end of a move', () => {
  const feature = {
    name: 'images',
    upstream: 'image-api',
    stage: 'canary',
    percent: 100,
    state: 'ENABLED',
  } as const;

  it('are those of a feature that may still answer from the other side', () => {
    for (const stage of ['off', 'shadow', 'canary'] as const)
      assert.match(readsLeftBehind({ ...feature, stage }, 'image-api')!, /strangler promote images/);
    for (const stage of ['live', 'retired'] as const) {
      assert.equal(readsLeftBehind({ ...feature, stage }, 'image-api'), null);
      assert.match(readsLeftBehind({ ...feature, stage }, 'monolith')!, /strangler rollback images/);
    }
    assert.match(readsLeftBehind({ ...feature, stage: 'live', state: 'DISABLED' }, 'image-api')!, /resume/);
    assert.equal(readsLeftBehind({ ...feature, state: 'DISABLED' }, 'monolith'), null);
    assert.match(readsLeftBehind(feature, 'monolith')!, /rollback/);
    for (const way of [{ stage: 'off' }, { stage: 'shadow' }, { percent: 0 }] as const)
      assert.equal(readsLeftBehind({ ...feature, ...way }, 'monolith'), null);
  });
});
