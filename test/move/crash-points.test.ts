import { crashEverywhere } from './crash-points.ts';

/** Some points of some tasks; all of all are in test/long. */
describe('a process that is killed between two steps', () => {
  for (const task of ['send back', 'hand over', 'hand back'] as const)
    it(`is replaced by another, and nothing is lost: ${task}`, async function () {
      this.timeout(180_000);
      await crashEverywhere(task, 5);
    });
});
