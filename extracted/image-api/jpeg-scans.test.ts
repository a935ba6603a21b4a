import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { photo } from '../../test/contract/pictures.ts';
import { withSegment } from '../../test/support/picture-bytes.ts';
import { received } from '../../test/support/received.ts';
import { bytesOf } from './bytes-of.ts';
import { createBounded } from './bounded.ts';
import { createClean } from './clean.ts';
import { hasTooManyScans, MOST_SCANS } from './jpeg-scans.ts';
import { Problem } from './problem.ts';

const END = Buffer.from([0xff, 0xd9]);

describe('scans of a JPEG', () => {
  let folder: string;
  let progressive: Buffer;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'scans-'));
    progressive = await sharp(await photo(320, 240))
      .jpeg({ progressive: true })
      .toBuffer();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const hasTooMany = (bytes: Buffer): boolean =>
    hasTooManyScans(
      bytesOf(
        (window, offset, length, position) => bytes.copy(window, offset, position, position + length),
        bytes.length,
      ),
    );
  const isRefused = (error: unknown): boolean =>
    error instanceof Problem && error.status === 422 && /scans/.test(error.message);
  /** With so many scans more, each of one coefficient and of no more than a few bytes. */
  const withScans = (count: number, before: Buffer = Buffer.alloc(0)): Buffer =>
    Buffer.concat([
      progressive.subarray(0, -2),
      ...Array.from({ length: count }, () =>
        Buffer.concat([before, Buffer.from('ffda0008010100013f000000', 'hex')]),
      ),
      END,
    ]);

  it('are as many as encoders write', async () => {
    assert.equal(hasTooMany(progressive), false);
    assert.equal(hasTooMany(await photo(320, 240)), false);
    assert.equal(hasTooMany(withScans(MOST_SCANS - 20)), false);
    // What only looks like scans: in a segment, in what lies behind the end, and none at all.
    const marks = Buffer.alloc(3 * MOST_SCANS * 2, Buffer.from([0xff, 0xda, 0]));
    assert.equal(hasTooMany(withSegment(progressive, 0xe1, marks)), false);
    assert.equal(hasTooMany(Buffer.concat([progressive, marks])), false);
    assert.equal(hasTooMany(Buffer.from([0xff])), false);
    assert.equal(hasTooMany(Buffer.from([0xff, 0xd8, 0xff, 0xda])), false);
  });

  it('are refused when they are more, whatever lies between them', async () => {
    for (const between of [
      Buffer.alloc(0),
      Buffer.alloc(3, 0xff),
      Buffer.from('ff00ffd0ff01', 'hex'),
      Buffer.from('fffe000441ff', 'hex'),
      Buffer.alloc(5000, 0x41),
    ])
      assert.equal(hasTooMany(withScans(2 * MOST_SCANS, between)), true, between.toString('hex', 0, 9));
  });

  it('are counted without reading anything twice, however small the segments are', () => {
    const bytes = Buffer.concat([
      Buffer.from('ffd8', 'hex'),
      Buffer.alloc(4_000_000, Buffer.from('fffe0002', 'hex')),
    ]);
    let read = 0;
    const counted = bytesOf((window, offset, length, position) => {
      const count = bytes.copy(window, offset, position, position + length);
      read += count;
      return count;
    }, bytes.length);
    assert.equal(hasTooManyScans(counted), false);
    assert.ok(read < 2 * bytes.length, `${read} of ${bytes.length}`);
  });

  it('are counted before a decoder sees them, in turned pictures too', async () => {
    const clean = createClean({ bounded: createBounded({ inWork: 0, waiting: 0, patience: 1 }) });
    const exif = Buffer.from(
      `Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06${'\0'.repeat(6)}`,
      'latin1',
    );
    for (const bytes of [withScans(5000), withSegment(withScans(5000), 0xe1, exif)]) {
      const path = join(folder, randomUUID());
      const upload = await received(path, bytes, 'jpeg');
      await assert.rejects(
        clean(upload, async () => undefined),
        isRefused,
      );
    }
  });
});
