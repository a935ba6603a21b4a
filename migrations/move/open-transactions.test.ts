import assert from 'node:assert/strict';
import type pg from 'pg';
import { testMove, type TestMove } from '../../test/support/move.ts';
import { until } from '../../test/support/until.ts';
import { backfillChunk } from './backfill.ts';
import { bucketOf } from './bucket.ts';
import { handOver, Refused } from './handover.ts';
import { lockClass } from './objects.ts';
import { start } from './start.ts';
import { syncOnce } from './sync.ts';
import { verify } from './verify.ts';

const ALL = { first: 0, last: 1023 };
/** What a write hears that comes too late for its snapshot; in READ COMMITTED each statement has a new one, and sees where the home is. */
const LEVELS = [
  ['READ COMMITTED', 'SK421'],
  ['REPEATABLE READ', '40001'],
  ['SERIALIZABLE', '40001'],
] as const;

/** A write whose transaction was opened before a handover is refused, or it is moved; it is never lost. */
describe('a transaction that is open during a handover', () => {
  const b = bucketOf('7');
  let test: TestMove;
  let writer: pg.PoolClient;
  beforeEach(async () => {
    test = await testMove();
    await test.old.query('INSERT INTO things (id, owner, n) VALUES (1, 7, 10), (2, 7, 20)');
    await start(test.move);
    const { description, from, to } = test.move;
    await backfillChunk(description, from, 1000);
    await syncOnce(description, from, to, ALL);
    assert.deepEqual((await verify(test.move)).corrupt, []);
    writer = await test.old.connect();
  });
  afterEach(async () => {
    await writer.query('ROLLBACK');
    writer.release();
    await test.close();
  });

  const forward = (options = {}): Promise<void> => handOver(test.move, b, test.move.to, options);
  const back = (): Promise<void> => handOver(test.move, b, test.move.from);
  const open = (level: string): Promise<unknown> =>
    writer.query(`BEGIN ISOLATION LEVEL ${level}; SELECT n FROM things`);
  const ns = async (pool: pg.Pool): Promise<number[]> =>
    (await pool.query<{ n: string }>('SELECT n FROM things ORDER BY id')).rows.map(({ n }) => Number(n));
  /** Both sides, after everything was sent. */
  const atRest = async (): Promise<[number[], number[]]> => {
    const { description, from, to } = test.move;
    for (const [source, target] of [
      [from, to],
      [to, from],
    ] as const)
      while ((await syncOnce(description, source, target, ALL)).rows > 0);
    assert.deepEqual((await verify(test.move)).corrupt, []);
    return [await ns(test.old), await ns(test.young)];
  };
  /** Until somebody waits for the bucket. */
  const fenceWaits = (): Promise<void> =>
    until(
      async () =>
        (
          await test.old.query(
            `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = ($1::bigint & 4294967295)::oid`,
            [lockClass('things')],
          )
        ).rowCount! > 0,
      'the fence to wait',
    );

  for (const [level, code] of LEVELS) {
    describe(level, () => {
      for (const sql of [
        'UPDATE things SET n = n + 1 WHERE id = 1',
        'DELETE FROM things WHERE id = 1',
        'INSERT INTO things (id, owner) VALUES (3, 7)',
        'UPDATE things SET owner = 8 WHERE id = 1',
      ])
        it(`refuses its first write after the handover: ${sql}`, async () => {
          await open(level);
          await forward();
          await assert.rejects(writer.query(sql), { code });
          await writer.query('ROLLBACK');
          assert.deepEqual(await atRest(), [
            [10, 20],
            [10, 20],
          ]);
        });

      it('moves what it wrote before the fence and commits while the fence waits', async () => {
        await open(level);
        await writer.query('UPDATE things SET n = n + 1 WHERE id = 1');
        const moved = forward();
        await fenceWaits();
        await writer.query('UPDATE things SET n = n + 1 WHERE id = 2');
        await writer.query('COMMIT');
        await moved;
        await test.young.query('UPDATE things SET n = n * 2');
        assert.deepEqual(await atRest(), [
          [22, 42],
          [22, 42],
        ]);
      });

      it('keeps what it commits after a fence that gave up', async () => {
        await open(level);
        await writer.query('UPDATE things SET n = n + 1 WHERE id = 1');
        await assert.rejects(forward({ lockTimeout: 20, tries: 2 }), Refused);
        await writer.query('UPDATE things SET n = n + 1 WHERE id = 2');
        await writer.query('COMMIT');
        await forward();
        assert.deepEqual(await atRest(), [
          [11, 21],
          [11, 21],
        ]);
      });

      it('loses nothing when the home has gone and come back under it', async () => {
        await open(level);
        await forward();
        await test.young.query('UPDATE things SET n = n + 1 WHERE id = 1');
        await back();
        const write = writer.query('UPDATE things SET n = n + 100 WHERE id IN (1, 2)');
        // In READ COMMITTED it sees what the other side wrote, and adds to it.
        if (level === 'READ COMMITTED') {
          await write;
          await writer.query('COMMIT');
          assert.deepEqual(await atRest(), [
            [111, 120],
            [111, 120],
          ]);
        } else {
          await assert.rejects(write, { code });
          await writer.query('ROLLBACK');
          assert.deepEqual(await atRest(), [
            [11, 20],
            [11, 20],
          ]);
        }
      });

      it('refuses a second row whose home has gone, with all that was written before', async () => {
        await test.old.query('INSERT INTO things (id, owner, n) VALUES (5, 8, 50)');
        await atRest();
        await open(level);
        await writer.query('UPDATE things SET n = n + 1 WHERE id = 5');
        await forward();
        await assert.rejects(writer.query('UPDATE things SET n = n + 1 WHERE id = 1'), {
          code: level === 'READ COMMITTED' ? 'SK409' : code,
        });
        await writer.query('COMMIT');
        assert.deepEqual(await atRest(), [
          [10, 20, 50],
          [10, 20, 50],
        ]);
      });
    });
  }
});
