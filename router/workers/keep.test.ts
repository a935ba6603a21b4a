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
    const gaps: number[] = [];
    let last = performance.now();
    await keepRunning(processOf('0', 10_000), {
      ended: () => undefined,
      isOver: () => gaps.length === 3,
      start() {
        gaps.push(performance.now() - last);
        last = performance.now();
        return processOf('next', 0);
      },
    });
    // After one that was stable, then after one and two that were not; timers are never early by more than a millisecond.
    assert.ok(gaps[1]! < gaps[2]! && gaps[2]! >= 99, gaps.join());
  });
});
