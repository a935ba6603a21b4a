import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { keyOf, openBucketBlobs, sha256Of, type BucketBlobs } from '../../test/support/bucket-blobs.ts';
import { openS3Store } from './s3-store.ts';
import { readS3Url } from './s3-url.ts';

const isAway = { status: 503, headers: { 'retry-after': '2' } };

describe('blobs in a bucket', () => {
  let bed: BucketBlobs;
  beforeEach(async () => {
    bed = await openBucketBlobs();
  });
  afterEach(() => bed.close());
  const nothing = async (): Promise<ReadonlySet<string>> => new Set();

  it('keeps equal bytes once, under their hash, and nothing locally', async () => {
    const sha256 = await bed.place('picture');
    bed.age(sha256);
    const { writtenAt } = bed.s3.objects.get(keyOf(sha256))!;
    await bed.place('picture');
    assert.deepEqual([bed.there(), bed.local()], [[sha256], []]);
    assert.equal(bed.s3.objects.get(keyOf(sha256))!.bytes.toString(), 'picture');
    assert.ok(bed.s3.objects.get(keyOf(sha256))!.writtenAt > writtenAt + 3_600_000, 'its grace begins anew');
    // The second was made young where it is, not sent again.
    const puts = bed.s3.requests.filter(
      ({ method, headers }) => method === 'PUT' && !headers['x-amz-copy-source'],
    );
    assert.deepEqual(
      puts.map(({ headers }) => [headers['content-length'], headers['x-amz-checksum-sha256']]),
      [['7', Buffer.from(sha256, 'hex').toString('base64')]],
    );
  });

  it('reads all, a part, and through a file that goes again', async () => {
    const original = bed.blobs.original(await bed.place('0123456789'));
    assert.equal((await buffer(await original.read())).toString(), '0123456789');
    assert.equal((await buffer(await original.read({ start: 2, end: 4 }))).toString(), '234');
    assert.equal(bed.s3.requests.at(-1)!.headers.range, 'bytes=2-4');
    const before = bed.s3.requests.length;
    const read = (): Promise<string> => original.withFile(async (path) => readFileSync(path, 'utf8'));
    assert.deepEqual(await Promise.all([read(), read(), read()]), Array(3).fill('0123456789'));
    assert.equal(bed.s3.requests.length, before + 1, 'those at the same time share one');
    assert.deepEqual(bed.local(), []);
  });

  it('says of a missing one what a missing file says', async () => {
    const original = bed.blobs.original(sha256Of('never there'));
    await assert.rejects(original.read(), { code: 'ENOENT' });
    await assert.rejects(original.read({ start: 0, end: 0 }), { code: 'ENOENT' });
    await assert.rejects(
      original.withFile(async () => undefined),
      { code: 'ENOENT' },
    );
    await bed.blobs.touch(sha256Of('never there'));
    assert.deepEqual([bed.there(), bed.heard], [[], []]);
  });

  for (const trouble of ['away', 'cut', 'hang'] as const)
    it(`answers 503 and has nothing half, when the bucket is ${trouble}`, async () => {
      const sha256 = await bed.place('picture');
      bed.s3.trouble = ({ headers }) => (headers['x-amz-copy-source'] ? undefined : trouble);
      await assert.rejects(bed.place('another'), isAway);
      const original = bed.blobs.original(sha256);
      await assert.rejects(
        original.withFile(async () => undefined),
        isAway,
      );
      if (trouble === 'cut') await assert.rejects(original.read().then(buffer), { code: 'ECONNRESET' });
      else
        for (const span of [undefined, { start: 0, end: 1 }])
          await assert.rejects(original.read(span), isAway);
      if (trouble !== 'cut') await assert.rejects(bed.blobs.collect(nothing), isAway);
      assert.ok(bed.heard.length > 0);
      bed.s3.trouble = () => undefined;
      assert.deepEqual([bed.there(), bed.local()], [[sha256], []]);
      await bed.place('another');
      assert.equal(bed.there().length, 2);
    });

  it('answers 503 when nobody listens, or the bucket is another’s', async () => {
    const limits = { connect: 500, answer: 500 };
    for (const url of [
      bed.s3.urlOf().replace('s3://pictures', 's3://others'),
      's3://pictures?endpoint=http://127.0.0.1:1',
    ]) {
      const others = openS3Store(readS3Url('X', url, undefined), limits, () => undefined);
      await assert.rejects(others.read('x'), isAway);
      others.close();
    }
  });

  it('refuses bytes that are not those of the hash', async () => {
    const staged = await bed.blobs.stage(sha256Of('picture'), bed.received('spoilt'));
    await assert.rejects(
      bed.within((session) => staged.place(session)),
      isAway,
    );
    assert.deepEqual(bed.there(), []);
    bed.s3.objects.set(keyOf(sha256Of('picture')), { bytes: Buffer.from('spoilt'), writtenAt: Date.now() });
    await assert.rejects(
      bed.blobs.original(sha256Of('picture')).withFile(async () => undefined),
      /other bytes/,
    );
    assert.deepEqual(bed.local(), []);
  });

  it('gives up what nobody waits for any more', async () => {
    const original = bed.blobs.original(await bed.place('picture'));
    const gone = new AbortController();
    bed.s3.trouble = () => {
      gone.abort();
      return 'hang';
    };
    await assert.rejects(original.read(undefined, gone.signal), { code: 'ENOENT' });
    assert.deepEqual(bed.heard, []);
  });
});
