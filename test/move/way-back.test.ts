import assert from 'node:assert/strict';
import { backfillChunk } from '../../migrations/move/backfill.ts';
import { bucketOf } from '../../migrations/move/bucket.ts';
import { handOver } from '../../migrations/move/handover.ts';
import type { Phase } from '../../migrations/move/phase.ts';
import { rampTo } from '../../migrations/move/ramp.ts';
import { advance, readRecord } from '../../migrations/move/record.ts';
import { run } from '../../migrations/move/run.ts';
import { start } from '../../migrations/move/start.ts';
import { syncOnce } from '../../migrations/move/sync.ts';
import { picturesMove, type PicturesMove } from '../support/pictures-move.ts';
import { until } from '../support/until.ts';

/** From wherever a move is, the old side has every acknowledged write after `reverse`, files included, and the way forward stays open. */
describe('the way back', function () {
  // All homes go over, a thousand handovers, some of them more than once.
  this.timeout(120_000);
  let test: PicturesMove;
  let stop: AbortController;
  let runs: Promise<void>;
  beforeEach(async () => {
    test = await picturesMove();
    runs = Promise.resolve();
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await runs;
    await test.close();
  });

  const proceed = (): void => {
    stop = new AbortController();
    runs = run(test.move, { signal: stop.signal, parkedFor: 100, grace: 0 });
  };
  const halt = async (): Promise<void> => {
    stop.abort();
    await runs;
  };
  const reaches = (phase: Phase): Promise<void> =>
    until(async () => (await readRecord(test.move)).phase === phase, `the phase ${phase}`);
  const PHASES: Readonly<Record<string, () => Promise<void>>> = {
    async backfill() {
      await backfillChunk(test.move.description, test.move.from, 3);
      await syncOnce(test.move.description, test.move.from, test.move.to, { first: 0, last: 1023 });
    },
    async verify() {
      const { description, from, to } = test.move;
      while (!(await backfillChunk(description, from, 100)).isDone);
      while ((await syncOnce(description, from, to, { first: 0, last: 1023 })).rows > 0);
      await advance(test.move, 'backfilled');
    },
    async ramp() {
      proceed();
      await reaches('ramp');
      await halt();
      for (const product of [1, 2, 3, 4]) await handOver(test.move, bucketOf(String(product)), test.move.to);
    },
    async soak() {
      proceed();
      await reaches('ramp');
      await rampTo(test.move, 100);
      await halt();
    },
  };

  for (const [phase, bring] of Object.entries(PHASES))
    it(`is open in the phase ${phase}`, async () => {
      const kept = new Map<string, Buffer>();
      const gone: string[] = [];
      const keep = ({ id, bytes }: { id: string; bytes: Buffer }): void => void kept.set(id, bytes);
      /** As the router does: at the one side, or, when that refuses, at the other. */
      const add = async (product: number): Promise<void> =>
        keep(
          await test.addAtService(product).catch((error: { code?: string }) => {
            assert.equal(error.code, 'SK421');
            return test.addAtShop(product);
          }),
        );
      const drop = async (id: string): Promise<void> => {
        const { rowCount } = await test.service
          .query('DELETE FROM pictures WHERE id = $1', [id])
          .catch((error: { code?: string }) => {
            assert.equal(error.code, 'SK421');
            return { rowCount: 0 };
          });
        if (rowCount === 0)
          assert.equal((await test.shop.query('DELETE FROM images WHERE id = $1', [id])).rowCount, 1);
        kept.delete(id);
        gone.push(id);
      };
      for (let product = 1; product <= 8; product += 1) keep(await test.addAtShop(product));
      await start(test.move);
      await bring();
      assert.equal((await readRecord(test.move)).phase, phase);
      for (let product = 1; product <= 8; product += 1) await add(product);
      for (const id of [...kept.keys()].slice(2, 5)) await drop(id);

      await rampTo(test.move, 0);
      // Nothing runs any more, neither the service nor a mover: what the old side has now is all it has.
      for (const [id, bytes] of kept) assert.deepEqual(await test.readAtShop(id), bytes, `picture ${id}`);
      for (const id of gone) assert.equal(await test.readAtShop(id), null);
      await assert.rejects(test.addAtService(1), { code: 'SK421' });
      keep(await test.addAtShop(1));

      proceed();
      await reaches('ramp');
      await rampTo(test.move, 100);
      await add(2);
      for (const [id, bytes] of kept) assert.deepEqual(await test.readAtService(id), bytes, `picture ${id}`);
      for (const id of gone) assert.equal(await test.readAtService(id), null);
    });
});
