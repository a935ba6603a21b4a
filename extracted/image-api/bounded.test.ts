import assert from 'node:assert/strict';
import { createBounded } from './bounded.ts';
import { Problem } from './problem.ts';

/** A job that lasts until it is told to end. */
function job(): { run: () => Promise<string>; end: () => void; hasStarted: () => boolean } {
  const { promise, resolve } = Promise.withResolvers<string>();
  let started = false;
  return {
    run: () => {
      started = true;
      return promise;
    },
    end: () => resolve('done'),
    hasStarted: () => started,
  };
}

const isBusy = (error: unknown): boolean =>
  error instanceof Problem && error.status === 503 && error.headers['retry-after'] === '1';

describe('bounded work', () => {
  it('runs so many at once, lets so many wait in order, refuses the rest', async () => {
    const bounded = createBounded({ inWork: 2, waiting: 2, patience: 10_000 });
    const jobs = Array.from({ length: 4 }, job);
    const results = jobs.map(({ run }) => bounded(run));
    await assert.rejects(bounded(job().run), isBusy);
    const started = (): boolean[] => jobs.map(({ hasStarted }) => hasStarted());
    assert.deepEqual(started(), [true, true, false, false]);
    jobs[1]!.end();
    await results[1];
    assert.deepEqual(started(), [true, true, true, false]);
    for (const { end } of jobs) end();
    assert.deepEqual(await Promise.all(results), ['done', 'done', 'done', 'done']);
    const later = job();
    void bounded(later.run);
    assert.ok(later.hasStarted(), 'all room was given back');
    later.end();
  });

  it('gives room back after a failure', async () => {
    const bounded = createBounded({ inWork: 1, waiting: 0, patience: 10_000 });
    await assert.rejects(
      bounded(() => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.equal(await bounded(async () => 1), 1);
  });

  it('sends away who waited too long, while the work goes on', async () => {
    const bounded = createBounded({ inWork: 1, waiting: 5, patience: 20 });
    const first = job();
    const result = bounded(first.run);
    await assert.rejects(bounded(job().run), isBusy);
    first.end();
    assert.equal(await result, 'done');
  });

  it('forgets who went away, before or in the line', async () => {
    const bounded = createBounded({ inWork: 1, waiting: 1, patience: 10_000 });
    const first = job();
    const result = bounded(first.run);
    const leaving = new AbortController();
    const gone = bounded(job().run, { signal: leaving.signal });
    leaving.abort();
    await assert.rejects(gone, isBusy);
    await assert.rejects(bounded(job().run, { signal: AbortSignal.abort() }), isBusy);
    const next = job();
    const taken = bounded(next.run);
    first.end();
    next.end();
    assert.deepEqual(await Promise.all([result, taken]), ['done', 'done']);
  });

  it('takes jobs by the memory they need, in order, so that small ones do not starve a large one', async () => {
    const bounded = createBounded({ inWork: 3, waiting: 9, patience: 10_000, memory: 100 });
    const [first, large, small] = [job(), job(), job()];
    const results = [
      bounded(first.run, { bytes: 60 }),
      bounded(large.run, { bytes: 100 }),
      bounded(small.run, { bytes: 1 }),
    ];
    assert.deepEqual([large.hasStarted(), small.hasStarted()], [false, false]);
    assert.deepEqual(bounded.load(), { inWork: 1, waiting: 2, bytes: 60 });
    first.end();
    await results[0];
    assert.deepEqual([large.hasStarted(), small.hasStarted()], [true, false]);
    large.end();
    await results[1];
    assert.ok(small.hasStarted());
    small.end();
    await results[2];
    assert.deepEqual(bounded.load(), { inWork: 0, waiting: 0, bytes: 0 });
  });

  it('lets the next one in when the large one before it goes away', async () => {
    const bounded = createBounded({ inWork: 2, waiting: 9, patience: 10_000, memory: 100 });
    const [first, small] = [job(), job()];
    const leaving = new AbortController();
    const result = bounded(first.run, { bytes: 50 });
    const gone = bounded(job().run, { bytes: 100, signal: leaving.signal });
    const taken = bounded(small.run, { bytes: 50 });
    leaving.abort();
    await assert.rejects(gone, isBusy);
    first.end();
    small.end();
    assert.deepEqual(await Promise.all([result, taken]), ['done', 'done']);
  });

  it('lets one alone have twice the memory, and refuses with figures what needs more', async () => {
    const memory = 10 * 2 ** 20;
    const bounded = createBounded({ inWork: 2, waiting: 9, patience: 10_000, memory });
    const [first, large, small] = [job(), job(), job()];
    const results = [
      bounded(first.run, { bytes: 1 }),
      bounded(large.run, { bytes: 2 * memory }),
      bounded(small.run, { bytes: 1 }),
    ];
    assert.equal(large.hasStarted(), false);
    first.end();
    await results[0];
    assert.deepEqual([large.hasStarted(), small.hasStarted()], [true, false]);
    large.end();
    small.end();
    await Promise.all(results);
    await assert.rejects(
      bounded(job().run, { bytes: 21 * 2 ** 20 }),
      (error) => error instanceof Problem && error.status === 413 && /21 MiB.*20 MiB/.test(error.message),
    );
  });
});
