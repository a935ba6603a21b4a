import assert from 'node:assert/strict';
import { testMove, type TestMove } from '../../test/support/move.ts';
import { backfillChunk } from './backfill.ts';
import { bucketOf } from './bucket.ts';
import { commit, finalise } from './decide.ts';
import { drain, fence, handOver, Refused, settle, unsettled } from './handover.ts';
import { start } from './start.ts';
import { syncOnce } from './sync.ts';
import { verify } from './verify.ts';

describe('a handover', () => {
  const b = bucketOf('7');
  let test: TestMove;
  beforeEach(async () => {
    test = await testMove();
    await test.old.query('INSERT INTO things (id, owner, word) SELECT i, 7, i FROM generate_series(1, 20) i');
    await start(test.move);
  });
  afterEach(() => test.close());

  const home = async (pool = test.old): Promise<unknown[]> => {
    const { rows } = await pool.query(
      'SELECT home, epoch::int, moving FROM strangler.things_bucket WHERE b = $1',
      [b],
    );
    return Object.values(rows[0]);
  };
  const homes = async (): Promise<unknown[][]> => [await home(test.old), await home(test.young)];
  async function ready(): Promise<void> {
    await backfillChunk(test.move.description, test.move.from, 1000);
    while (
      (await syncOnce(test.move.description, test.move.from, test.move.to, { first: 0, last: 1023 })).rows > 0
    );
    assert.deepEqual((await verify(test.move)).corrupt, []);
  }
  const forward = (): Promise<void> =>
    handOver(test.move, b, test.move.to, { drainDeadline: 500, parkedFor: 0 });
  const back = (): Promise<void> =>
    handOver(test.move, b, test.move.from, { drainDeadline: 500, parkedFor: 0 });

  it('gives writes to the new side and back, and nothing is lost', async () => {
    await ready();
    await test.old.query("UPDATE things SET word = 'last' WHERE id = 3");
    await forward();
    assert.deepEqual(await homes(), [
      ['image-api', 2, false],
      ['image-api', 2, false],
    ]);
    assert.deepEqual(await test.rows('young'), await test.rows('old'));
    await assert.rejects(test.old.query('UPDATE things SET n = 1 WHERE id = 3'), { code: 'SK421' });
    await test.young.query('UPDATE things SET n = n + 1 WHERE id = 3');
    await test.young.query('DELETE FROM things WHERE id = 4');
    await back();
    assert.deepEqual(await homes(), [
      ['monolith', 3, false],
      ['monolith', 3, false],
    ]);
    assert.deepEqual(await test.rows('young'), await test.rows('old'));
    await test.old.query('UPDATE things SET n = n + 1 WHERE id = 3');
    assert.deepEqual((await test.old.query('SELECT n, word FROM things WHERE id = 3')).rows, [
      { n: '2', word: 'last' },
    ]);
    await forward();
    await forward();
    assert.deepEqual((await verify(test.move)).corrupt, []);
  });

  it('is refused, in the database, before the backfill, the verification, and while a row is parked', async () => {
    await assert.rejects(forward(), /not all rows are copied/);
    await backfillChunk(test.move.description, test.move.from, 1000);
    await assert.rejects(forward(), /not verified lately/);
    await ready();
    await test.young.query("ALTER TABLE things ADD CHECK (word <> 'bad')");
    await test.old.query("UPDATE things SET word = 'bad' WHERE id = 1");
    await assert.rejects(forward(), /a row could not be applied: .*check/);
    assert.deepEqual(await homes(), [
      ['monolith', 3, false],
      ['monolith', 3, false],
    ]);
    await assert.rejects(forward(), /1 rows could not be applied/);
    await test.old.query("UPDATE things SET word = 'good' WHERE id = 1");
    await syncOnce(test.move.description, test.move.from, test.move.to, { bucket: b });
    await test.old.query("UPDATE strangler.move SET verified_at = now() - interval '2 hours'");
    await assert.rejects(forward(), /not verified lately/);
    await ready();
    await forward();
  });

  it('gives up the fence while a transaction of the bucket stays open', async () => {
    await ready();
    const writer = await test.old.connect();
    try {
      await writer.query('BEGIN; UPDATE things SET n = 1 WHERE id = 1');
      await assert.rejects(
        handOver(test.move, b, test.move.to, { lockTimeout: 20, tries: 3 }),
        (error) => error instanceof Refused && /does not end/.test(error.message),
      );
      await writer.query('COMMIT');
    } finally {
      writer.release();
    }
    await forward();
    assert.deepEqual(await test.rows('young'), await test.rows('old'));
  });

  for (const [direction, source, target] of [
    ['forward', 'from', 'to'],
    ['back', 'to', 'from'],
  ] as const)
    for (const crashAfter of ['fence', 'drain', 'commit', 'finalise'])
      it(`that ends after its ${crashAfter}, ${direction}, is driven on by three at once`, async () => {
        await ready();
        if (direction === 'back') await forward();
        const { move } = test;
        const epoch = direction === 'forward' ? '2' : '3';
        const name = move[target].name;
        await (direction === 'forward' ? test.old : test.young).query(
          'UPDATE things SET n = 77 WHERE id = 2',
        );
        assert.ok(await fence(move, b, move[source], move[target]));
        if (crashAfter !== 'fence')
          assert.equal(await drain(move, b, move[source], move[target], epoch), undefined);
        if (['commit', 'finalise'].includes(crashAfter)) await commit(move, b, move[target], epoch);
        if (crashAfter === 'finalise') await finalise(move, b, move[source], move[target], epoch);
        assert.deepEqual(await unsettled(move), crashAfter === 'finalise' ? [] : [b]);
        await Promise.all([settle(move, b), settle(move, b), settle(move, b)]);
        assert.deepEqual(await homes(), [
          [name, Number(epoch), false],
          [name, Number(epoch), false],
        ]);
        assert.deepEqual(await test.rows('young'), await test.rows('old'));
      });

  it('is decided once when one process gives it up while another commits it', async () => {
    await ready();
    const { move } = test;
    for (let round = 0; round < 10; round += 1) {
      const before = (await home())[0];
      const [source, target] = before === 'monolith' ? [move.from, move.to] : [move.to, move.from];
      const pool = before === 'monolith' ? test.old : test.young;
      await pool.query('UPDATE things SET n = n + 1');
      await fence(move, b, source, target);
      await Promise.allSettled([
        settle(move, b, { drainDeadline: -1 }),
        settle(move, b),
        settle(move, b, { drainDeadline: -1 }),
        settle(move, b),
      ]);
      await settle(move, b);
      const [one, other] = await homes();
      assert.deepEqual(one, other);
      assert.equal(one![2], false);
    }
  });

  it('takes a fence for the way back, put up before the way there was finished, for no decision', async () => {
    await ready();
    const { move } = test;
    await fence(move, b, move.from, move.to);
    await commit(move, b, move.to, '2');
    await test.young.query('UPDATE things SET n = 5 WHERE id = 5');
    await fence(move, b, move.to, move.from);
    await finalise(move, b, move.from, move.to, '2');
    assert.deepEqual(await homes(), [
      ['image-api', 2, false],
      ['monolith', 3, true],
    ]);
    await settle(move, b);
    assert.equal((await home())[0], 'monolith');
    assert.deepEqual(await test.rows('young'), await test.rows('old'));
  });

  it('waits for rows that left the bucket', async () => {
    await ready();
    await test.old.query('UPDATE things SET owner = 8 WHERE id = 1');
    await forward();
    assert.deepEqual((await test.young.query('SELECT owner FROM things WHERE id = 1')).rows, [
      { owner: '8' },
    ]);
  });
});
