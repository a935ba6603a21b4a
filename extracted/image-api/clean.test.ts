import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { received } from '../../test/support/received.ts';
import { createBounded } from './bounded.ts';
import { createClean } from './clean.ts';
import { Problem } from './problem.ts';
import type { Kind } from './wish.ts';

/** Damaged pictures of each kind, and the seed they are made from. */
const DAMAGED = 120;
const SEED = 20;

describe('uploads that are damaged', function () {
  this.timeout(60_000);
  let folder: string;
  const clean = createClean({ bounded: createBounded({ inWork: 2, waiting: 10, patience: 10_000 }) });
  before(() => void (folder = mkdtempSync(join(tmpdir(), 'clean-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** What would be stored of it; null when it is refused. */
  const stored = async (bytes: Buffer, kind: Kind): Promise<Buffer | null> => {
    const path = join(folder, 'received');
    rmSync(path, { force: true });
    const upload = await received(path, bytes, kind);
    try {
      return await clean(upload, async (cleaned) => {
        copyFileSync(cleaned.path, join(folder, 'stored'));
        return readFileSync(cleaned.path);
      });
    } catch (error) {
      // 413: what was damaged is its size.
      if (error instanceof Problem && [413, 422].includes(error.status)) return null;
      throw error;
    } finally {
      assert.deepEqual(
        readdirSync(folder).filter((name) => name !== 'received' && name !== 'stored'),
        [],
        'nothing else is left',
      );
    }
  };

  const random = lehmer(SEED);
  const photo = (): Sharp => {
    const pixels = Buffer.alloc(256 * 192 * 3).map((_none, at) => 100 + (at % 97) + random(50));
    return sharp(pixels, { raw: { width: 256, height: 192, channels: 3 } });
  };
  for (const [name, kind, make] of [
    ['a JPEG', 'jpeg', (picture) => picture.jpeg({ quality: 80 })],
    ['a JPEG with the tables of cameras', 'jpeg', (picture) => picture.jpeg({ optimiseCoding: false })],
    ['a grey JPEG', 'jpeg', (picture) => picture.greyscale().jpeg()],
    ['a progressive JPEG', 'jpeg', (picture) => picture.jpeg({ progressive: true })],
    ['a PNG', 'png', (picture) => picture.png()],
    ['an interlaced PNG', 'png', (picture) => picture.png({ progressive: true })],
    ['a WebP', 'webp', (picture) => picture.webp()],
  ] as const satisfies [string, Kind, (picture: Sharp) => Sharp][])
    it(`are stored only if all that is stored decodes: ${name}`, async () => {
      const whole = await make(photo()).toBuffer();
      let refused = 0;
      for (let count = 0; count < DAMAGED; count++) {
        const bytes = damage(whole, random);
        const kept = await stored(bytes, kind);
        if (kept === null) refused++;
        else
          await sharp(kept, { failOn: 'error' })
            .raw()
            .toBuffer()
            .catch((error: Error) => assert.fail(`seed ${SEED}, number ${count}: ${error.message}`));
      }
      assert.ok(refused > DAMAGED / 20, `${refused} refused`);
    });
});

/** Bytes changed anywhere or near the beginning, the end cut off, a piece left out or put in. */
function damage(whole: Buffer, random: (below: number) => number): Buffer {
  const at = random(whole.length);
  const bytes = Buffer.from(whole);
  switch (random(5)) {
    case 0:
      for (let count = 0; count <= random(4); count++) bytes[random(bytes.length)] = random(256);
      return bytes;
    case 1:
      for (let count = 0; count <= random(3); count++) bytes[12 + random(700)] = random(256);
      return bytes;
    case 2:
      return bytes.subarray(0, Math.max(64, at));
    case 3:
      return Buffer.concat([bytes.subarray(0, Math.max(12, at)), bytes.subarray(at + random(200))]);
    default:
      return Buffer.concat([
        bytes.subarray(0, Math.max(12, at)),
        Buffer.alloc(random(200)).map(() => random(256)),
        bytes.subarray(at),
      ]);
  }
}

/** Whole numbers from 0 up to `below`, the same from the same seed. */
function lehmer(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return Math.floor((state / 2_147_483_647) * below);
  };
}
