import assert from 'node:assert/strict';
import sharp, { type Sharp } from 'sharp';
import { compare, type Verdict } from './compare.ts';

/** A photograph of sorts: soft colours, an edge, and some grain. */
async function drawn(width: number, height: number, grain = 12, move = 0): Promise<Sharp> {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const px = x + move;
      const isCorner = px < width / 4 && y < height / 4;
      const noise = (Math.sin(px * 12.9898 + y * 78.233) * 43758.5453) % 1;
      const base = isCorner ? [230, 20, 20] : [60, 30 + (px / width) * 180, 30 + (y / height) * 180];
      pixels.set(
        base.map((each) => Math.max(0, Math.min(255, Math.round(each + noise * grain)))),
        (y * width + x) * 3,
      );
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

const judge = (
  primary: Uint8Array,
  shadow: Uint8Array,
  type = 'image/jpeg',
  other = type,
): Promise<Verdict> => {
  const answer = (body: Uint8Array, contentType: string) => ({
    status: 200,
    headers: [['content-type', contentType]] as [string, string][],
    body,
    isTooLong: false,
  });
  return compare({
    method: 'GET',
    primary: answer(primary, type),
    shadow: answer(shadow, other),
    again: null,
    noise: [],
    rules: { mode: 'image', headers: [], maxDistance: 0.12, maxDecoded: 2 ** 24 },
    now: 0,
  });
};

const wheres = ({ differences }: Verdict): string[] => differences.map(({ where }) => where);

describe('comparing pictures', () => {
  for (const [name, width, height, grain] of [
    ['a soft picture', 640, 480, 0],
    ['a grainy one', 640, 480, 40],
    ['a small one', 120, 90, 12],
    ['a tiny one', 40, 32, 0],
    ['a large one', 2400, 1800, 12],
  ] as const) {
    describe(name, () => {
      it('matches when it was compressed again, at another quality, by another encoder', async () => {
        const picture = await drawn(width, height, grain);
        const jpeg = (quality: number, mozjpeg = false): Promise<Buffer> =>
          picture.clone().jpeg({ quality, mozjpeg }).toBuffer();
        for (const other of [await jpeg(90), await jpeg(60), await jpeg(80, true)])
          assert.deepEqual(wheres(await judge(await jpeg(82), other)), []);
        const again = await sharp(await jpeg(82))
          .jpeg({ quality: 75 })
          .toBuffer();
        assert.deepEqual(wheres(await judge(await jpeg(82), again)), []);
        const webp = await picture.clone().webp({ quality: 60 }).toBuffer();
        const finer = await picture.clone().webp({ quality: 85 }).toBuffer();
        assert.deepEqual(wheres(await judge(webp, finer, 'image/webp')), []);
      });

      it('mismatches when it is shifted by one pixel, as PNG and as JPEG', async () => {
        const one = await drawn(width, height, grain);
        const other = await drawn(width, height, grain, 1);
        const png = await judge(
          await one.clone().png().toBuffer(),
          await other.clone().png().toBuffer(),
          'image/png',
        );
        assert.deepEqual(wheres(png), ['image shift']);
        assert.match(String(png.differences[0]!.shadow), /^-?(?:0\.[89]|1\.[01])/);
        const jpeg = await judge(await one.jpeg().toBuffer(), await other.jpeg({ quality: 85 }).toBuffer());
        assert.deepEqual(wheres(jpeg), ['image shift']);
      });

      it('mismatches when it is turned, mirrored, or of another size or type', async () => {
        const picture = await drawn(width, height, grain);
        const jpeg = await picture.clone().jpeg().toBuffer();
        for (const turned of [picture.clone().rotate(180), picture.clone().flop(), picture.clone().flip()])
          assert.deepEqual(wheres(await judge(jpeg, await turned.jpeg().toBuffer())), ['image distance']);
        const quarter = await picture.clone().rotate(90).jpeg().toBuffer();
        assert.deepEqual(wheres(await judge(jpeg, quarter)), ['image width', 'image height']);
        const narrow = await picture
          .clone()
          .resize(width - 1, height, { fit: 'fill' })
          .jpeg()
          .toBuffer();
        assert.deepEqual(wheres(await judge(jpeg, narrow)), ['image width']);
        const png = await picture.clone().png().toBuffer();
        assert.deepEqual(wheres(await judge(jpeg, png)), ['image type']);
        const tagged = await picture.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer();
        assert.deepEqual(wheres(await judge(jpeg, tagged)), ['image orientation']);
      });
    });
  }

  it('mismatches when something is painted over, or the colours are off', async () => {
    const picture = await drawn(640, 480);
    const jpeg = await picture.clone().jpeg().toBuffer();
    const stamp = { create: { width: 40, height: 30, channels: 3, background: '#fff' } } as const;
    const stamped = await picture
      .clone()
      .composite([{ input: stamp, left: 300, top: 200 }])
      .jpeg()
      .toBuffer();
    assert.deepEqual(wheres(await judge(jpeg, stamped)), ['image distance']);
    const grey = await picture.clone().greyscale().jpeg().toBuffer();
    assert.deepEqual(wheres(await judge(jpeg, grey)), ['image distance']);
  });

  it('says which side can not be read, and nothing when neither can', async () => {
    const jpeg = await (await drawn(64, 48)).jpeg().toBuffer();
    assert.deepEqual(wheres(await judge(jpeg, jpeg.subarray(0, 300))), ['image']);
    assert.equal((await judge(jpeg.subarray(0, 300), jpeg.subarray(0, 310))).result, 'incomparable');
  });
});
