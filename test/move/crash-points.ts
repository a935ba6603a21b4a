import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { bucketOf } from '../../migrations/move/bucket.ts';
import { rampTo } from '../../migrations/move/ramp.ts';
import { advance, NotStarted } from '../../migrations/move/record.ts';
import { verify } from '../../migrations/move/verify.ts';
import { testMove, type TestMove } from '../support/move.ts';
import { TASKS, type Task } from './stopping.ts';

const b = bucketOf('7');

/** What is there before a task, and what must be so when another process has done it again after the kill. */
const AROUND: Record<
  Task,
  { before: (test: TestMove) => Promise<void>; after: (test: TestMove) => Promise<void> }
> = {
  start: { before: async () => {}, after: atHome('old') },
  backfill: { before: does('start'), after: atHome('old') },
  'send there': {
    before: does(ready, ({ old }) => old.query('UPDATE things SET n = n + 1')),
    after: atHome('old'),
  },
  'send back': {
    before: does(ready, 'hand over', ({ young }) =>
      young.query('UPDATE things SET n = n + 1 WHERE owner = 7'),
    ),
    after: atHome('young'),
  },
  'hand over': {
    before: does(ready, ({ old }) => old.query('UPDATE things SET n = n + 1 WHERE owner = 7')),
    after: atHome('young'),
  },
  'hand back': {
    before: does(ready, 'hand over', ({ young }) =>
      young.query('UPDATE things SET n = n + 1 WHERE owner = 7'),
    ),
    after: atHome('old'),
  },
  verify: { before: ready, after: atHome('old') },
  complete: {
    before: does(
      ready,
      async ({ move, young }) => {
        await advance(move, 'backfilled');
        await advance(move, 'verified');
        // All but a few at once: what is tried is the end, not a thousand handovers.
        for (const { pool } of [move.from, move.to])
          await pool.query(`UPDATE strangler.things_bucket SET home = $1, epoch = 2`, [move.to.name]);
        await rampTo(move, 100);
        await young.query('UPDATE things SET n = n + 1');
      },
      'send back',
    ),
    after: async ({ old, young, rows }) => {
      assert.deepEqual(await rows('old'), await rows('young'));
      await young.query('UPDATE things SET n = 0');
      await assert.rejects(old.query('UPDATE things SET n = 0'), { code: 'SK421' });
    },
  },
  cancel: {
    before: ready,
    after: async ({ old, young, rows }) => {
      assert.deepEqual([(await rows('old')).length, (await rows('young')).length], [6, 0]);
      for (const pool of [old, young]) {
        await pool.query('INSERT INTO things (id, owner) VALUES (100, 7)');
        const { rowCount } = await pool.query(
          `SELECT FROM pg_class WHERE relname LIKE 'things\\_%' AND relnamespace = 'strangler'::regnamespace`,
        );
        assert.equal(rowCount, 0);
      }
    },
  },
};

/**
 * Kills a process before each of the statements of a task, from a fresh start each time; another process then does the task. Asserts that at no point both
 * sides take writes, and that nothing is lost. Answers how many points there were.
 * `every`: tries only so many of them, beginning with a random one.
 */
export async function crashEverywhere(task: Task, every = 1): Promise<number> {
  for (let n = 1 + Math.floor(Math.random() * every); ; n += every) {
    const test = await testMove();
    try {
      await test.old.query(
        'INSERT INTO things (id, owner, word) SELECT i, 7 + i % 2, i FROM generate_series(1, 6) i',
      );
      await AROUND[task].before(test);
      const isKilled = await killAt(task, test, n);
      // Before the start has ended, and when it was cancelled, no application writes at the new side.
      if (task !== 'start' && task !== 'cancel')
        assert.ok((await writable(test)) <= 1, 'both sides take writes');
      await TASKS[task](test.move).catch((error: Error) => {
        // It had ended all.
        if (!(error instanceof NotStarted && task === 'cancel')) throw error;
      });
      await AROUND[task].after(test);
      if (!isKilled) return n - 1;
    } catch (error) {
      throw new Error(`${task}, killed before statement ${n}: ${(error as Error).message}`, { cause: error });
    } finally {
      await test.close();
    }
  }
}

type Step = Task | ((test: TestMove) => Promise<unknown>);

function does(...steps: readonly Step[]): (test: TestMove) => Promise<void> {
  return async (test) => {
    for (const step of steps) await (typeof step === 'string' ? TASKS[step](test.move) : step(test));
  };
}

/** Everything is copied, and handovers are free. */
async function ready(test: TestMove): Promise<void> {
  await does('start', 'backfill', 'send there', 'verify')(test);
}

/** Both sides have the same when all is sent, one of them alone writes, and its write arrives. */
function atHome(side: 'old' | 'young'): (test: TestMove) => Promise<void> {
  return async (test) => {
    const { move, rows } = test;
    assert.deepEqual(
      await homes(test),
      side === 'old' ? ['monolith', 'monolith'] : ['image-api', 'image-api'],
    );
    const before = await rows(side);
    assert.equal(before.length, 6);
    await does('backfill', 'send there', 'send back')(test);
    assert.deepEqual([await rows('old'), await rows('young')], [before, before]);
    await test[side].query('UPDATE things SET n = n + 1 WHERE owner = 7');
    await assert.rejects(
      test[side === 'old' ? 'young' : 'old'].query('UPDATE things SET n = 0 WHERE owner = 7'),
      {
        code: 'SK421',
      },
    );
    await does('send there', 'send back')(test);
    assert.deepEqual(await rows('old'), await rows('young'));
    assert.deepEqual((await verify(move)).corrupt, []);
  };
}

/** The bucket's home, as each side has it; nothing is under way. */
async function homes({ old, young }: TestMove): Promise<string[]> {
  const both = await Promise.all(
    [old, young].map((pool) =>
      pool.query<{ home: string }>('SELECT home FROM strangler.things_bucket WHERE b = $1 AND NOT moving', [
        b,
      ]),
    ),
  );
  return both.flatMap(({ rows }) => rows.map(({ home }) => home));
}

/** Sides that take a write of the owner's rows just now. */
async function writable({ old, young }: TestMove): Promise<number> {
  const taken = await Promise.all(
    [old, young].map(async (pool) => {
      const client = await pool.connect();
      try {
        await client.query('BEGIN; INSERT INTO things (id, owner) VALUES (1000, 7)');
        return true;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'SK421');
        return false;
      } finally {
        await client.query('ROLLBACK');
        client.release();
      }
    }),
  );
  return taken.filter(Boolean).length;
}

/** Answers whether the task had a statement with that number. */
async function killAt(task: Task, { databases }: TestMove, n: number): Promise<boolean> {
  const child = fork(
    join(import.meta.dirname, 'stopping.ts'),
    [task, ...databases.map(({ url }) => url), String(n)],
    {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  assert.ok(code === 0 || signal === 'SIGKILL', `the process ended with ${code}`);
  return signal === 'SIGKILL';
}
