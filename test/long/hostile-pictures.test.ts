import { hostileRun } from '../support/hostile-run.ts';
import { openImageSides, type ImageSides } from '../support/image-sides.ts';

describe('what strangers send to the image-api as a process', function () {
  this.timeout(900_000);
  let sides: ImageSides;
  before(async () => {
    sides = await openImageSides();
  });
  after(() => sides?.close());

  for (const data of ['shared', 'own'] as const)
    it(`gives a 4xx or a right picture, and leaves nothing behind (data: ${data})`, async () => {
      const told = await hostileRun(sides, data, { cuts: 60, isFull: true, names: 500 });
      process.stdout.write(`      ${JSON.stringify(told)}\n`);
    });
});
