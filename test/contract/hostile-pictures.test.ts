import { hostileRun } from '../support/hostile-run.ts';
import { openImageSides, type ImageSides } from '../support/image-sides.ts';

/** Short, and of one kind of data; test/long has all of it. */
describe('what strangers send to the image-api as a process', function () {
  this.timeout(180_000);
  let sides: ImageSides;
  before(async () => {
    sides = await openImageSides();
  });
  after(() => sides?.close());

  it('gives a 4xx or a right picture, and leaves nothing behind', async () => {
    await hostileRun(sides, 'own', { cuts: 5, isFull: false, names: 60 });
  });
});
