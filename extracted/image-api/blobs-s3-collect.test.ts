import assert from 'node:assert/strict';
import { keyOf, openBucketBlobs, sha256Of, type BucketBlobs } from '../../test/support/bucket-blobs.ts';
import { openBlobLocks } from './blob-locks.ts';
import type { Session } from './blobs.ts';

describe('collecting blobs of a bucket', () => {
  let bed: BucketBlobs;
  beforeEach(async () => {
    bed = await openBucketBlobs();
  });
  afterEach(() => bed.close());
  const nothing = async (): Promise<ReadonlySet<string>> => new Set();

  it('collects what no row refers to, after its grace, page by page', async () => {
    const [young, ...old] = await Promise.all(
      ['young', 'a', 'b', 'c', 'd', 'kept'].map((text) => bed.place(text)),
    );
    old.forEach(bed.age);
    bed.s3.objects.set('shop/a/sha256/xx/other', { bytes: Buffer.from(''), writtenAt: 0 });
    bed.s3.objects.set('shop/b/sha256/ab/other', { bytes: Buffer.from(''), writtenAt: 0 });
    const asked: string[] = [];
    await bed.blobs.collect(async (sha256s) => {
      asked.push(...sha256s);
      return new Set([old[4]!]);
    });
    assert.deepEqual(bed.there(), [young, old[4], 'other', 'other'].sort());
    assert.ok(!asked.includes(young!));
  });

  it('leaves alone what is being placed, and lets nobody place while it removes', async () => {
    const sha256 = await bed.place('picture');
    await bed.within(async (session) => {
      await openBlobLocks(bed.pool).share(session, sha256);
      await bed.open(0).collect(nothing);
      assert.deepEqual(bed.there(), [sha256]);
    });
    let placing: Promise<string> | undefined;
    const order: string[] = [];
    bed.s3.trouble = async ({ method }) => {
      order.push(method);
      if (method !== 'DELETE') return undefined;
      // It has been judged, and is about to go: exactly now somebody places it again.
      placing = bed.place('picture');
      const sql = "SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
      for (;;) if ((await bed.pool.query<{ waiting: number }>(sql)).rows[0]!.waiting > 0) return undefined;
    };
    await bed.open(0).collect(nothing);
    await placing;
    assert.deepEqual(bed.there(), [sha256]);
    assert.deepEqual(order, ['GET', 'HEAD', 'DELETE', 'PUT', 'PUT']);
  });

  it('loses no blob of a row, however collecting and placing meet', async () => {
    await bed.pool.query('CREATE TABLE uses (sha256 text)');
    const blobs = bed.open(0);
    let isOver = false;
    const collecting = [1, 2].map(async () => {
      while (!isOver)
        await blobs.collect(async (sha256s, session: Session = bed.pool as unknown as Session) => {
          const sql = 'SELECT DISTINCT sha256 FROM uses WHERE sha256 = ANY ($1)';
          const { rows } = await session.query<{ sha256: string }>(sql, [sha256s]);
          return new Set(rows.map((row) => row.sha256));
        });
    });
    const uses = Array.from({ length: 4 }, async (_, n) => {
      for (let round = 0; round < 25; round++) {
        const text = `picture ${n % 2}`;
        const staged = await blobs.stage(sha256Of(text), bed.received(text));
        await bed
          .within(async (session) => {
            await session.query('INSERT INTO uses VALUES ($1)', [sha256Of(text)]);
            await staged.place(session);
          })
          .finally(() => staged.discard());
        assert.ok(bed.s3.objects.has(keyOf(sha256Of(text))), `blob ${n} in round ${round}`);
        await bed.pool.query(
          'DELETE FROM uses WHERE ctid = (SELECT ctid FROM uses WHERE sha256 = $1 LIMIT 1)',
          [sha256Of(text)],
        );
      }
    });
    await Promise.all(uses).finally(() => (isOver = true));
    await Promise.all(collecting);
  });
});
