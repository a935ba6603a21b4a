import assert from 'node:assert/strict';
import { Problem } from './errors.ts';
import { createLine } from './images-line.ts';

const isBusy = (error: unknown): boolean =>
  error instanceof Problem && error.status === 503 && error.retryAfter === 1;

describe('the line for pictures', () => {
  it('serves in order, and refuses when it is full', async () => {
    const line = createLine({ inWork: 1, waiting: 2, patience: 10_000 });
    const order: number[] = [];
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const work = gates.map((gate, n) =>
      line(async () => {
        order.push(n);
        await gate.promise;
        return n;
      }),
    );
    await assert.rejects(
      line(async () => 0),
      isBusy,
    );
    for (const gate of gates.toReversed()) gate.resolve();
    assert.deepEqual(await Promise.all(work), [0, 1, 2]);
    assert.deepEqual(order, [0, 1, 2]);
  });

  it('loses no place to failures, to the impatient or to those who left', async () => {
    const line = createLine({ inWork: 1, waiting: 3, patience: 30 });
    const gate = Promise.withResolvers<void>();
    const leaving = new AbortController();
    const first = line(async () => {
      await gate.promise;
      throw new Error('no');
    });
    const impatient = line(async () => assert.fail('its time was over'));
    const left = line(async () => assert.fail('nobody was there'), leaving.signal);
    leaving.abort();
    await assert.rejects(left, isBusy);
    await assert.rejects(impatient, isBusy);
    await assert.rejects(
      line(async () => assert.fail('nobody was there'), AbortSignal.abort()),
      isBusy,
    );
    gate.resolve();
    await assert.rejects(first, /no/);
    assert.equal(await line(async () => 1), 1);
  });
});
