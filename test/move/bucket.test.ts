import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BlobFault, carryDown, carryUp, verifyBlob, type Blob } from '../../migrations/move/blobs.ts';
import { complete } from '../../migrations/move/finish.ts';
import { rampTo } from '../../migrations/move/ramp.ts';
import { clearCorrupt, readRecord } from '../../migrations/move/record.ts';
import { run } from '../../migrations/move/run.ts';
import { start } from '../../migrations/move/start.ts';
import { uncollected } from '../../migrations/move/uncollected.ts';
import { verify } from '../../migrations/move/verify.ts';
import { picturesMove, type PicturesMove } from '../support/pictures-move.ts';
import { S3_CREDENTIALS, startS3, type S3Server } from '../support/s3-server.ts';
import { until } from '../support/until.ts';

describe('the pictures’ move to a bucket', function () {
  // All homes go over, a thousand handovers, some of them more than once.
  this.timeout(120_000);
  let s3: S3Server;
  let test: PicturesMove;
  let runs: Promise<void>;
  let stop: AbortController;
  const environment = { ...process.env };
  beforeEach(async () => {
    Object.assign(process.env, S3_CREDENTIALS);
    s3 = await startS3();
    test = await picturesMove(s3);
    stop = new AbortController();
    runs = Promise.resolve();
  });
  afterEach(async () => {
    stop.abort();
    await runs;
    await test.close();
    await s3.close();
    process.env = environment;
  });
  const path = ({ path }: Blob): string => join(test.folders.legacy, path);
  const keyOf = ({ sha256 }: Blob): string => `service/sha256/${sha256.slice(0, 2)}/${sha256}`;
  const legacyBlob = (text: string): Blob => {
    const blob = { path: 'products/7/a.png', sha256: createHash('sha256').update(text).digest('hex') };
    mkdirSync(dirname(path(blob)), { recursive: true });
    writeFileSync(path(blob), text);
    return blob;
  };
  const isFault =
    (kind: BlobFault['kind']) =>
    (error: unknown): boolean =>
      error instanceof BlobFault && error.kind === kind;
  const inBoth = (id: string, bytes: Buffer): Promise<unknown> =>
    until(
      async () =>
        bytes.equals((await test.readAtShop(id)) ?? Buffer.of()) &&
        bytes.equals((await test.readAtService(id)) ?? Buffer.of()),
      `picture ${id} at both sides`,
    );

  it('brings rows with their bytes there and back, and verifies both', async () => {
    const first = await test.addAtShop(1);
    await start(test.move);
    runs = run(test.move, { signal: stop.signal, parkedFor: 100, grace: 0 });
    await until(async () => (await readRecord(test.move)).phase === 'ramp', 'the ramp');
    await inBoth(first.id, first.bytes);
    await rampTo(test.move, 100);
    const second = await test.addAtService(1);
    await inBoth(second.id, second.bytes);
    assert.equal((await verify(test.move)).blobs, 2);
    await test.service.query('DELETE FROM pictures WHERE id = $1', [first.id]);
    await until(() => !existsSync(join(test.folders.legacy, first.file)), 'the file to go');
    await rampTo(test.move, 0);
    const third = await test.addAtShop(2);
    await inBoth(third.id, third.bytes);
    // What is spoilt in the bucket is found, and said with its place.
    const key = [...s3.objects].find(([, { bytes }]) => bytes.equals(third.bytes))![0];
    const { bytes, writtenAt } = s3.objects.get(key)!;
    s3.objects.set(key, { bytes: Buffer.from('spoilt'), writtenAt });
    assert.match((await verify(test.move)).corrupt.join(), /s3:\/\/pictures\/service\/sha256.* not /);
    s3.objects.set(key, { bytes, writtenAt });
    await clearCorrupt(test.move);
    assert.deepEqual((await verify(test.move)).corrupt, []);
    await rampTo(test.move, 100);
    await complete(test.move);
    await runs;
    assert.deepEqual(await test.readAtService(third.id), third.bytes);
  });

  it('touches what is there, heals what is spoilt, and carries nothing with a flipped bit', async () => {
    const blob = legacyBlob('picture');
    assert.equal(await carryUp(test.folders, blob), 'copied');
    s3.objects.get(keyOf(blob))!.writtenAt = 0;
    assert.equal(await carryUp(test.folders, blob), 'there');
    assert.ok(s3.objects.get(keyOf(blob))!.writtenAt > 0);
    s3.objects.set(keyOf(blob), { bytes: Buffer.from('spoilt'), writtenAt: 0 });
    await assert.rejects(verifyBlob(test.folders, blob), isFault('differs'));
    rmSync(path(blob));
    await assert.rejects(carryDown(test.folders, blob), isFault('differs'));
    await assert.rejects(carryUp(test.folders, blob), isFault('missing'));
    writeFileSync(path(blob), 'pictures');
    await assert.rejects(carryUp(test.folders, blob), isFault('differs'));
    writeFileSync(path(blob), 'picture');
    assert.equal(await carryUp(test.folders, blob), 'copied');
    rmSync(path(blob));
    assert.equal(await carryDown(test.folders, blob), 'copied');
    assert.equal(readFileSync(path(blob), 'utf8'), 'picture');
    s3.objects.clear();
    await assert.rejects(verifyBlob(test.folders, blob), isFault('missing'));
    assert.deepEqual(globSync('incoming/*', { cwd: test.folders.legacy }), []);
  });

  it('does not take a bucket that is away for a fault of the blob', async () => {
    const blob = legacyBlob('picture');
    for (const trouble of ['away', 'cut'] as const) {
      s3.trouble = ({ method }) => (trouble === 'away' || method === 'PUT' ? trouble : undefined);
      await assert.rejects(carryUp(test.folders, blob), (error) => !(error instanceof BlobFault));
    }
    assert.equal(s3.objects.size, 0);
    s3.trouble = () => undefined;
    await carryUp(test.folders, blob);
    rmSync(path(blob));
    s3.trouble = () => 'cut';
    await assert.rejects(carryDown(test.folders, blob), (error) => !(error instanceof BlobFault));
    assert.equal(existsSync(path(blob)), false);
  });

  it('waits for who collects the blob, and holds him off while it is placed', async () => {
    const blob = legacyBlob('picture');
    await carryUp(test.folders, blob);
    const folders = { ...test.folders, uncollected: uncollected(test.move.to.pool) };
    const collector = await test.service.connect();
    const lock = `(('x' || left('${blob.sha256}', 16))::bit(64)::bigint)`;
    await collector.query(`SELECT pg_advisory_lock${lock}`);
    const carrying = carryUp(folders, blob);
    const sql = "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    await until(async () => (await test.service.query(sql)).rows[0].n === 1, 'the mover to wait');
    s3.objects.delete(keyOf(blob));
    s3.trouble = async ({ method }) => {
      if (method === 'PUT')
        assert.equal(
          (await collector.query(`SELECT pg_try_advisory_lock${lock} AS held`)).rows[0].held,
          false,
        );
      return undefined;
    };
    await collector.query(`SELECT pg_advisory_unlock${lock}`);
    assert.equal(await carrying, 'copied');
    assert.equal(s3.requests.filter(({ method }) => method === 'PUT').length, 2);
    collector.release();
  });
});
