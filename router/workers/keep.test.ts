import assert from 'node:assert/strict';
import { keepRunning } from './keep.ts';

/** A process that lives for `age` milliseconds and ends as soon as it is looked at. */
const processOf = (name: string, age: number) => ({ name, age: () => age, ended: Promise.resolve(1) });

describe('keeping a process running', () => {
  it('starts another one at each end, until it is over', async () => {
    const ends: string[] = [];
    let started = 0;
    await keepRunning(processOf('0', 10_000), {
      ended: ({ name }, how) => void ends.push(`${name} ${how}`),
      isOver: () => ends.length === 4,
      start: () => processOf(String(++started), 10_000),
    });
    assert.deepEqual(ends, ['0 1', '1 1', '2 1', '3 1']);
  });

  it('pauses ever longer between those that end at once, and not after a first accident', async () => {
    const happened: (string | number)[] = [];
    await keepRunning(processOf('stable', 10_000), {
      ended: ({ name }) => void happened.push(name),
      isOver: () => happened.filter((one) => one === 'short').length === 8,
      start: () => processOf('short', 0),
      pause: async (milliseconds) => void happened.push(milliseconds),
    });
    const pauses = [100, 200, 400, 800, 1600, 2000].flatMap((pause) => ['short', pause]);
    assert.deepEqual(happened, ['stable', 'short', ...pauses, 'short']);
  });
});
