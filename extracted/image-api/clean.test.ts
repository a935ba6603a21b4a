import assert from 'node:assert/strict';
import sharp, { type Sharp } from 'sharp';
import { openCleaning, type Cleaning } from '../../test/support/cleaning.ts';
import type { Kind } from './wish.ts';

/** Damaged pictures of each kind, and the seed they are made from. */
const DAMAGED = 120;
const SEED = 20;

describe('uploads that are damaged', function () {
  this.timeout(60_000);
  let cleaning: Cleaning;
  before(() => void (cleaning = openCleaning()));
  after(() => cleaning.close());

  const random = lehmer(SEED);
  const photo = (width = 256, height = 192): Sharp => {
    const pixels = Buffer.alloc(width * height * 3).map((_none, at) => 100 + (at % 97) + random(50));
    return sharp(pixels, { raw: { width, height, channels: 3 } });
  };
  for (const [name, kind, make] of [
    ['a JPEG', 'jpeg', (picture) => picture.jpeg({ quality: 80 })],
    ['a JPEG with the tables of cameras', 'jpeg', (picture) => picture.jpeg({ optimiseCoding: false })],
    ['a grey JPEG', 'jpeg', (picture) => picture.greyscale().jpeg()],
    // Of which the first 17 lines are looked at.
    ['a wide JPEG', 'jpeg', () => photo(6000, 64).jpeg()],
    ['a progressive JPEG', 'jpeg', (picture) => picture.jpeg({ progressive: true })],
    ['a PNG', 'png', (picture) => picture.png()],
    ['an interlaced PNG', 'png', (picture) => picture.png({ progressive: true })],
    ['a WebP', 'webp', (picture) => picture.webp()],
    ['a lossless WebP', 'webp', (picture) => picture.webp({ lossless: true })],
    ['a transparent WebP with EXIF', 'webp', (picture) => withPrivate(picture.ensureAlpha(0.5)).webp()],
    ['a WebP with EXIF', 'webp', (picture) => withPrivate(picture).webp()],
    ['an AVIF', 'avif', (picture) => picture.avif({ effort: 0 })],
    [
      'a transparent AVIF with EXIF',
      'avif',
      (picture) => withPrivate(picture.ensureAlpha(0.5)).avif({ effort: 0 }),
    ],
    ['a lossless WebP with EXIF', 'webp', (picture) => withPrivate(picture).webp({ lossless: true })],
  ] as const satisfies [string, Kind, (picture: Sharp) => Sharp][])
    it(`are stored only if all that is stored decodes: ${name}`, async () => {
      const whole = await make(photo()).toBuffer();
      let refused = 0;
      for (let count = 0; count < DAMAGED; count++) {
        const bytes = damage(whole, random);
        const kept = await cleaning.stored(bytes, kind);
        // 413: what was damaged is its size.
        if (typeof kept === 'number') refused++;
        else
          await sharp(kept.bytes, { failOn: 'error' })
            .raw()
            .toBuffer({ resolveWithObject: true })
            .then(({ info }) =>
              assert.deepEqual([info.width, info.height], [kept.width, kept.height], `number ${count}`),
            )
            .catch((error: Error) => assert.fail(`seed ${SEED}, number ${count}: ${error.message}`));
      }
      assert.ok(refused > DAMAGED / 20, `${refused} refused`);
    });
});

const withPrivate = (picture: Sharp): Sharp =>
  picture.withExif({ IFD0: { Artist: 'Somebody' } }).withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>');

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
