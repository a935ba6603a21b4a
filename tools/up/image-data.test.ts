import assert from 'node:assert/strict';
import { complete, contract } from '../../migrations/move/finish.ts';
import { rampTo } from '../../migrations/move/ramp.ts';
import { readRecord } from '../../migrations/move/record.ts';
import { run } from '../../migrations/move/run.ts';
import { openMove, type Move } from '../../migrations/move/side.ts';
import { start } from '../../migrations/move/start.ts';
import images from '../../migrations/moves/images.ts';
import { picturesMove, type PicturesMove } from '../../test/support/pictures-move.ts';
import { until } from '../../test/support/until.ts';
import { imageDataOf, prepareOwnData } from './image-data.ts';

describe('whose the pictures’ data is', () => {
  let test: PicturesMove;
  before(async () => {
    test = await picturesMove();
    await test.addAtShop(1);
  });
  after(() => test.close());

  const data = (wish: 'shared' | 'own' | null = null): Promise<string> => imageDataOf(test.urls.from, wish);
  /** Brings a move to its end. */
  async function finish(move: Move): Promise<void> {
    const runs = run(move, { signal: new AbortController().signal, grace: 0 });
    await until(async () => (await readRecord(move)).phase === 'ramp', 'the phase ramp');
    await rampTo(move, 100);
    if (move === test.move)
      await assert.rejects(data('shared'), /1024 of 1024 buckets .*move reverse images/);
    await complete(move);
    await runs;
  }

  it('is told by the databases, through a move and back', async function () {
    this.timeout(120_000);
    assert.deepEqual([await data(), await data('shared'), await data('own')], ['shared', 'shared', 'moving']);
    const folders = { blobDir: test.folders.legacy, ownBlobs: test.folders.own };
    await prepareOwnData('moving', test.urls.from, test.urls.to, folders);
    assert.deepEqual([await data(), await data('shared'), await data('own')], ['moving', 'shared', 'moving']);
    await finish(test.move);
    assert.deepEqual([await data(), await data('own')], ['own', 'own']);
    await prepareOwnData('own', test.urls.from, test.urls.to, folders);
    await contract(test.move);
    assert.equal(await data(), 'own');
    await assert.rejects(data('shared'), /were moved to the image-api.*start images --swapped/);
    const back = await openMove(images, { ...test.urls, blobs: test.folders, swapped: true });
    try {
      await start(back);
      assert.equal(await data(), 'moving');
      await finish(back);
      assert.equal(await data(), 'moving', 'its service still has a fence that says where the home is');
      await contract(back);
      assert.deepEqual([await data(), await data('own')], ['shared', 'moving']);
      await assert.rejects(
        readRecord(test.move),
        /rows are at monolith; the other way: strangler move start images$/,
      );
      await prepareOwnData('moving', test.urls.from, test.urls.to, folders);
      assert.equal((await readRecord(test.move)).phase, 'backfill');
    } finally {
      await back.close();
    }
  });
});
