import assert from 'node:assert/strict';
import { crashEverywhere } from '../move/crash-points.ts';
import { TASKS, type Task } from '../move/stopping.ts';

describe('a process that is killed between two steps, at each of them', () => {
  for (const task of Object.keys(TASKS) as Task[])
    it(`is replaced by another, and nothing is lost: ${task}`, async () => {
      const points = await crashEverywhere(task);
      process.stdout.write(`      ${points} points\n`);
      assert.ok(points >= 3);
    });
});
