import assert from 'node:assert/strict';
import { useQueue, type QueueUnderTest } from './queue-under-test.ts';
import { until } from './until.ts';

/** What every driver of a queue promises; the same table for all of them. */
export function queueContract(openSetting: () => Promise<QueueUnderTest>): void {
  const { setting, seen, open, run, job, numberOf, numbers, isEmpty } = useQueue(openSetting);

  it('hands over each job once, as it was sent, and is empty when all are done', async () => {
    await setting().send(...[...Array(20).keys()].map(job));
    const queue = run(async () => ({ type: 'done' }));
    await until(() => seen.length >= 20, 'all jobs');
    await isEmpty(queue);
    assert.deepEqual(numbers(), [...Array(20).keys()]);
    assert.deepEqual(seen[0]!.body, job(numberOf(seen[0]!)));
    assert.deepEqual(new Set(seen.map(({ attempt }) => attempt)), new Set([1]));
    assert.ok(queue.isUp());
  });

  it('takes no more at once than it may, and others meanwhile take the rest', async () => {
    await setting().send(...[1, 2, 3, 4, 5].map(job));
    let end = (): void => {};
    const held = new Promise<void>((over) => (end = over));
    run(() => held.then(() => ({ type: 'done' })), 2);
    await until(() => seen.length === 2, 'two jobs under way');
    const others: number[] = [];
    const second = open(1);
    second.start(async (each) => {
      others.push(numberOf(each));
      return { type: 'done' };
    });
    await until(() => others.length === 3, 'the others');
    assert.equal(seen.length, 2);
    end();
    await isEmpty(second);
    assert.deepEqual(
      [...numbers(), ...others].toSorted((left, right) => left - right),
      [1, 2, 3, 4, 5],
    );
  });

  it('lets a job that fails wait, counts its attempts, and holds up none of the others', async () => {
    await setting().send(...[0, 1, 2, 3].map(job));
    const times: number[] = [];
    const queue = run(async (each) => {
      if (numberOf(each) !== 0) return { type: 'done' };
      times.push(Date.now());
      return each.attempt < 3 ? { type: 'retry', after: 2, why: 'not yet' } : { type: 'done' };
    }, 1);
    await until(() => numbers().filter((number) => number > 0).length === 3, 'the others');
    assert.equal(times.length, 1);
    await until(() => times.length === 3, 'three attempts');
    await isEmpty(queue);
    assert.deepEqual(
      seen.filter((each) => numberOf(each) === 0).map(({ attempt }) => attempt),
      [1, 2, 3],
    );
    for (const pause of [times[1]! - times[0]!, times[2]! - times[1]!])
      assert.ok(pause > 1900, `${pause} ms`);
  });

  it('can be stopped at any moment, also before it is there', async () => {
    await setting().send(job(1));
    const queue = run(async () => ({ type: 'done' }));
    await queue.stop();
    const next = run(async () => ({ type: 'done' }));
    await until(() => seen.length === 1, 'the job');
    await isEmpty(next);
  });

  it('tries a job again whose handler throws', async () => {
    await setting().send(job(1));
    const queue = run(async ({ attempt }) => {
      if (attempt === 1) throw new Error('a bug');
      return { type: 'done' };
    });
    await until(() => seen.length === 2, 'the second attempt');
    await isEmpty(queue);
  });

  it('takes a job back as if it had not been taken', async () => {
    await setting().send(job(1));
    const queue = run(async () =>
      seen.length < 4 ? { type: 'release', after: seen.length === 1 ? 1 : 0 } : { type: 'done' },
    );
    await until(() => seen.length === 4, 'the job four times');
    await isEmpty(queue);
    assert.deepEqual(
      seen.map(({ attempt }) => attempt),
      [1, 1, 1, 1],
    );
  });

  it('keeps a dead letter whatever its error is made of', async () => {
    await setting().send(job(1));
    // A mail server may say anything, and a text that is cut may end within a character.
    const queue = run(async () => ({ type: 'dead', why: 'no\0 \u001b[31m \ud83d' }));
    await until(async () => (await queue.depth().catch(() => null))?.dead === 1, 'a dead letter');
    const box = await setting().openBox();
    try {
      assert.match((await box.list(10))[0]!.error, /^no. .\[31m .$/s);
      assert.equal(await box.discard('all'), 1);
    } finally {
      await box.close();
    }
    await isEmpty(queue);
  });

  it('keeps a dead letter with its error, and replays it once, as a new job', async () => {
    await setting().send(job(1), job(2), job(3));
    let isMended = false;
    const before = Date.now();
    const queue = run(async () => (isMended ? { type: 'done' } : { type: 'dead', why: 'no such mailbox' }));
    await until(async () => (await queue.depth().catch(() => null))?.dead === 3, 'three dead letters');
    assert.equal(seen.length, 3);
    const box = await setting().openBox();
    try {
      for (let look = 0; look < 3; look++) {
        const letters = await box.list(10);
        assert.deepEqual(letters.map(({ id }) => id).toSorted(), ['<1@test>', '<2@test>', '<3@test>']);
        for (const { error, attempts, at } of letters) {
          assert.deepEqual([error, attempts], ['no such mailbox', 1]);
          assert.ok(Math.abs(at!.getTime() - before) < 60_000, `${at?.toISOString()}`);
        }
      }
      assert.equal((await box.list(2)).length, 2);
      isMended = true;
      assert.equal(await box.replay({ id: '<9@test>' }), 0);
      assert.equal(await box.replay({ id: '2@test' }), 1);
      await until(() => seen.length === 4, 'the replayed one');
      assert.deepEqual([numberOf(seen[3]!), seen[3]!.attempt], [2, 1]);
      assert.equal(await box.replay({ id: '2@test' }), 0);
      assert.equal(await box.discard({ id: '<1@test>' }), 1);
      assert.equal(await box.replay('all'), 1);
      await until(() => seen.length === 5, 'the other one');
      assert.equal(numberOf(seen[4]!), 3);
      assert.deepEqual(await box.list(10), []);
    } finally {
      await box.close();
    }
    await isEmpty(queue);
    assert.equal(seen.length, 5);
  });

  it('takes nothing while it pauses, and what was under way ends', async () => {
    await setting().send(job(1));
    let end = (): void => {};
    const held = new Promise<void>((over) => (end = over));
    const queue = run(() => held.then(() => ({ type: 'done' })), 3);
    await until(() => seen.length === 1, 'the first');
    queue.pause();
    await setting().send(job(2));
    end();
    // Another consumer is the witness that there was something to take; it gives it back.
    let isSeen = false;
    const witness = open(1);
    witness.start(async () => {
      isSeen = true;
      witness.pause();
      return { type: 'release', after: 0 };
    });
    await until(() => isSeen, 'the witness');
    await until(async () => (await queue.depth()).waiting === 1, 'it to be back');
    assert.equal(seen.length, 1);
    queue.resume();
    await until(() => seen.length === 2, 'the second');
    await isEmpty(queue);
  });

  it('lets what is under way end when it stops, and leaves the rest', async () => {
    await setting().send(job(1), job(2));
    let end = (): void => {};
    const held = new Promise<void>((over) => (end = over));
    const queue = run(() => held.then(() => ({ type: 'done' })), 1);
    await until(() => seen.length === 1, 'the first');
    const stopped = queue.stop();
    end();
    await stopped;
    assert.equal(seen.length, 1);
    const next = run(async () => ({ type: 'done' }));
    await until(() => seen.length === 2, 'the rest');
    assert.deepEqual(numbers(), [1, 2]);
    assert.equal(seen[1]!.attempt, 1);
    await isEmpty(next);
  });
}
