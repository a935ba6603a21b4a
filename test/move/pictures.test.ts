import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { complete, contract } from '../../migrations/move/finish.ts';
import { handOver, Refused } from '../../migrations/move/handover.ts';
import { bucketOf } from '../../migrations/move/bucket.ts';
import { rampTo } from '../../migrations/move/ramp.ts';
import { readRecord } from '../../migrations/move/record.ts';
import { run } from '../../migrations/move/run.ts';
import { openMove, type Move } from '../../migrations/move/side.ts';
import { start } from '../../migrations/move/start.ts';
import { verify } from '../../migrations/move/verify.ts';
import images from '../../migrations/moves/images.ts';
import { picturesMove, type PicturesMove } from '../support/pictures-move.ts';
import { until } from '../support/until.ts';

describe('the pictures’ move', function () {
  // All homes go over, a thousand handovers, some of them more than once.
  this.timeout(120_000);
  let test: PicturesMove;
  let runs: Promise<void>;
  let stop: AbortController;
  beforeEach(async () => {
    test = await picturesMove();
    stop = new AbortController();
    runs = Promise.resolve();
  });
  afterEach(async () => {
    stop.abort();
    await runs;
    await test.close();
  });

  const inPhase = (phase: string): Promise<unknown> =>
    until(async () => (await readRecord(test.move)).phase === phase, `the phase ${phase}`);
  async function begin(): Promise<void> {
    await start(test.move);
    runs = run(test.move, { signal: stop.signal, parkedFor: 100, grace: 0 });
    await inPhase('ramp');
  }
  const inBoth = (id: string, bytes: Buffer): Promise<unknown> =>
    until(
      async () =>
        bytes.equals((await test.readAtShop(id)) ?? Buffer.of()) &&
        bytes.equals((await test.readAtService(id)) ?? Buffer.of()),
      `picture ${id} at both sides`,
    );

  it('brings rows with their bytes over, back, and over again', async () => {
    const first = await test.addAtShop(1);
    await begin();
    await inBoth(first.id, first.bytes);
    const second = await test.addAtShop(2);
    await inBoth(second.id, second.bytes);
    await rampTo(test.move, 100);
    const third = await test.addAtService(1);
    await inBoth(third.id, third.bytes);
    await test.service.query('DELETE FROM pictures WHERE id = $1', [first.id]);
    await until(() => !existsSync(join(test.folders.legacy, first.file)), 'the file to go');
    await rampTo(test.move, 0);
    await assert.rejects(test.addAtService(1), { code: 'SK421' });
    const fourth = await test.addAtShop(1);
    assert.ok(BigInt(fourth.id) > BigInt(third.id), 'no number is used twice');
    await inBoth(fourth.id, fourth.bytes);
    await rampTo(test.move, 100);
    await complete(test.move);
    await runs;
    for (let n = 0; n < 5; n += 1) await test.addAtService(3);
    const { rows } = await test.service.query<{ id: string }>('SELECT id FROM pictures');
    assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
    await assert.rejects(test.addAtShop(1), { code: 'SK421' });
    assert.deepEqual(
      [await test.readAtService(second.id), await test.readAtService(fourth.id)],
      [second.bytes, fourth.bytes],
    );
  });

  it('goes the other way after it was completed and contracted', async () => {
    const first = await test.addAtShop(1);
    await begin();
    await rampTo(test.move, 100);
    await complete(test.move);
    await runs;
    const second = await test.addAtService(2);
    await test.service.query('DELETE FROM pictures WHERE id = $1', [first.id]);
    const open = (): Promise<Move> => openMove(images, { ...test.urls, blobs: test.folders, swapped: true });
    await assert.rejects(open(), /has started at monolith: complete it, then contract it/);
    await contract(test.move);
    assert.deepEqual(await test.readAtShop(first.id), null);
    await assert.rejects(readRecord(test.move), /is over, and the rows are at image-api/);
    await assert.rejects(
      openMove(images, { ...test.urls, blobs: test.folders, swapped: false }),
      /has moved away from monolith already/,
    );
    const back = await open();
    try {
      await start(back);
      runs = run(back, { signal: stop.signal, grace: 0 });
      await inBoth(second.id, second.bytes);
      await assert.rejects(test.addAtShop(1), { code: 'SK421' });
      await until(async () => (await readRecord(back)).phase === 'ramp', 'the phase ramp');
      await rampTo(back, 100);
      const third = await test.addAtShop(4);
      assert.ok(BigInt(third.id) > BigInt(second.id));
      await inBoth(third.id, third.bytes);
      await assert.rejects(test.addAtService(1), { code: 'SK421' });
    } finally {
      stop.abort();
      await runs;
      await back.close();
    }
  });

  it('parks a picture whose file is missing or spoilt, alone, until the file is there', async () => {
    const [good, missing, spoilt] = [
      await test.addAtShop(1),
      await test.addAtShop(1),
      await test.addAtShop(2),
    ];
    const path = (file: string): string => join(test.folders.legacy, file);
    rmSync(path(missing.file));
    writeFileSync(path(spoilt.file), 'something else');
    await start(test.move);
    runs = run(test.move, { signal: stop.signal, parkedFor: 100, grace: 0 });
    await inBoth(good.id, good.bytes);
    const parked = async (): Promise<string[]> => {
      const { rows } = await test.move.from.pool.query<{ reason: string }>(
        'SELECT reason FROM strangler.images_parked ORDER BY key',
      );
      return rows.map(({ reason }) => reason);
    };
    await until(async () => (await parked()).length === 2, 'two parked pictures');
    assert.match((await parked()).join('\n'), /is missing\n.* has the SHA-256 /);
    assert.equal((await readRecord(test.move)).phase, 'backfill');
    writeFileSync(path(missing.file), missing.bytes);
    writeFileSync(path(spoilt.file), spoilt.bytes);
    await inBoth(missing.id, missing.bytes);
    await inBoth(spoilt.id, spoilt.bytes);
    await inPhase('ramp');
    assert.deepEqual(await parked(), []);
  });

  for (const side of ['shop', 'service'] as const)
    it(`finds a flipped bit in the ${side}’s copy of a file, and stops handovers until a person has acted`, async () => {
      const picture = await test.addAtShop(5);
      await begin();
      await inBoth(picture.id, picture.bytes);
      const { rows } = await test.service.query<{ sha256: string }>('SELECT sha256 FROM pictures');
      const { sha256 } = rows[0]!;
      const file =
        side === 'shop'
          ? join(test.folders.legacy, picture.file)
          : join(test.folders.own, 'sha256', sha256.slice(0, 2), sha256);
      const bytes = readFileSync(file);
      bytes[700]! ^= 1;
      writeFileSync(file, bytes);
      const { corrupt, blobs } = await verify(test.move);
      assert.equal(blobs, 1);
      assert.match(corrupt.join(), /^key \["1"\]: .* has the SHA-256 /);
      writeFileSync(file, picture.bytes);
      assert.deepEqual((await verify(test.move)).corrupt, [], 'it is whole again');
      await assert.rejects(handOver(test.move, bucketOf('5'), test.move.to), (error: Error) => {
        assert.ok(error instanceof Refused);
        assert.match(error.message, /the sides differ/);
        return true;
      });
    });

  it('tells the service’s role whether a write is at the other side', async () => {
    const { id } = await test.addAtShop(1);
    await start(test.move);
    const isMirrored = async (): Promise<boolean> => {
      const { rows } = await test.service.query<{ yes: boolean }>(
        'SELECT strangler.images_is_mirrored($1) AS yes',
        [id],
      );
      return rows[0]!.yes;
    };
    runs = run(test.move, { signal: stop.signal });
    await inPhase('ramp');
    await rampTo(test.move, 100);
    stop.abort();
    await runs;
    assert.equal(await isMirrored(), true);
    await test.service.query("UPDATE pictures SET alt = 'new' WHERE id = $1", [id]);
    assert.equal(await isMirrored(), false);
    stop = new AbortController();
    runs = run(test.move, { signal: stop.signal });
    await until(isMirrored, 'the write at the other side');
  });
});
