import assert from 'node:assert/strict';
import sharp, { type Sharp } from 'sharp';
import { drawing, isUpright } from '../../test/contract/pictures.ts';
import { openCleaning, type Cleaning, type Stored } from '../../test/support/cleaning.ts';

const MARK = 'PLANTED-SECRET';

/** A chunk of RIFF, with `padding` after an odd length. */
function chunk(type: string, data: Buffer | string, padding = 0): Buffer {
  const bytes = Buffer.from(data as string, 'latin1');
  const head = Buffer.from(`${type}\0\0\0\0`, 'latin1');
  head.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([head, bytes, Buffer.alloc(bytes.length % 2, padding)]);
}

function webp(...chunks: Buffer[]): Buffer {
  return chunk('RIFF', Buffer.concat([Buffer.from('WEBP'), ...chunks]));
}

/** The chunks of a file, with their heads. */
function chunks(file: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 12; at < file.length;) {
    const length = file.readUInt32LE(at + 4);
    found.push(file.subarray(at, at + 8 + length + (length % 2)));
    at += 8 + length + (length % 2);
  }
  return found;
}

const names = (file: Buffer): string[] => chunks(file).map((each) => each.toString('latin1', 0, 4));
const pixels = (file: Buffer): Promise<Buffer> => sharp(file).ensureAlpha().raw().toBuffer();

/** A directory of one entry, orientation, and something behind it. */
function exif(orientation: number): Buffer {
  const directory = Buffer.from('II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0', 'latin1');
  directory.writeUInt16LE(orientation, 18);
  return Buffer.concat([directory, Buffer.from(MARK)]);
}

describe('WebP in its extended form', () => {
  let cleaning: Cleaning;
  before(() => void (cleaning = openCleaning()));
  after(() => cleaning.close());
  const stored = async (bytes: Buffer): Promise<Exclude<Stored, number>> => {
    const kept = await cleaning.stored(bytes, 'webp');
    assert.ok(typeof kept === 'object', String(kept));
    return kept;
  };
  const drawn = async (make: (picture: Sharp) => Sharp): Promise<Buffer> =>
    make(await drawing(161, 121)).toBuffer();

  for (const [what, make, kept] of [
    ['a lossy one', (picture) => picture.webp(), ['VP8 ']],
    ['a lossless one', (picture) => picture.webp({ lossless: true }), ['VP8L']],
    ['a transparent one', (picture) => picture.ensureAlpha(0.4).webp(), ['VP8X', 'ALPH', 'VP8 ']],
    ['a transparent lossless one', (picture) => picture.ensureAlpha(0.4).webp({ lossless: true }), ['VP8L']],
  ] as const satisfies [string, (picture: Sharp) => Sharp, string[]][])
    it(`keeps the coded pixels and nothing else: ${what}`, async () => {
      const dirty = await drawn((picture) =>
        make(picture.withExif({ IFD0: { Artist: MARK } }).withXmp(`<x xmlns="${MARK}"/>`)),
      );
      assert.deepEqual(
        names(dirty)
          .filter((name) => !(kept as string[]).includes(name))
          .slice(-2),
        ['EXIF', 'XMP '],
      );
      const [form, ...others] = chunks(dirty);
      const secret = chunk('PRIV', MARK);
      const planted = Buffer.concat([
        webp(form!, secret, ...others.toSpliced(others.length - 2, 0, secret), secret),
        Buffer.from(MARK),
      ]);
      for (const file of [dirty, planted]) {
        const { bytes, width, height } = await stored(file);
        assert.ok(file.includes(MARK) && !bytes.includes(MARK));
        assert.deepEqual(names(bytes), kept);
        assert.deepEqual([width, height, bytes.length], [161, 121, 8 + bytes.readUInt32LE(4)]);
        const coded = (whole: Buffer): Buffer[] =>
          chunks(whole).filter((each) => /^(?:VP8[ L]|ALPH)/.test(each.toString('latin1', 0, 4)));
        assert.deepEqual(coded(bytes), coded(file));
        assert.ok((await pixels(bytes)).equals(await pixels(file)));
        // What is clean stays as it is.
        assert.ok((await stored(bytes)).bytes.equals(bytes));
      }
    });

  it('leaves no word in what is reserved, nor between chunks', async () => {
    const file = await (await drawing(160, 120)).ensureAlpha(0.4).webp().toBuffer();
    const [form, , colours] = chunks(file) as [Buffer, Buffer, Buffer];
    // Transparency as it is, a byte a pixel behind one that says so: an odd length.
    const alpha = (padding: number): Buffer =>
      chunk('ALPH', Buffer.concat([Buffer.alloc(1), Buffer.alloc(160 * 120, 0x66)]), padding);
    const clean = webp(form, alpha(0), colours);
    const talking = Buffer.from(form);
    talking.set([0x58, 0x59, 0x5a], 9);
    const { bytes } = await stored(webp(talking, chunk('odd!', 'x', 0x58), alpha(0x58), colours));
    assert.ok(bytes.equals(clean), 'as it was without them');
  });

  for (let orientation = 1; orientation <= 8; orientation++)
    it(`turns it upright: EXIF orientation ${orientation}`, async () => {
      const upright = await (await drawing(80, 60)).png().toBuffer();
      const turn = [0, 0, 180, 180, 90, 270, 270, 90][orientation - 1]!;
      const back = await sharp(upright).rotate(turn).png().toBuffer();
      const turned = [2, 4, 5, 7].includes(orientation) ? await sharp(back).flop().png().toBuffer() : back;
      for (const alpha of [1, 0.9]) {
        const plain = chunks(
          await sharp(turned)
            .ensureAlpha(alpha)
            .withXmp('<x/>')
            .webp({ lossless: alpha === 1 })
            .toBuffer(),
        );
        const form = plain[0]!;
        form[8]! |= 0x08;
        const file = webp(...plain.slice(0, -1), chunk('EXIF', exif(orientation)));
        const { bytes, width, height } = await stored(file);
        assert.deepEqual([width, height], [80, 60]);
        assert.ok(await isUpright(bytes));
        assert.ok(!bytes.includes(MARK));
      }
    });

  it('keeps the first frame of an animation, and brings other colours to sRGB', async () => {
    const frames = await Promise.all([
      drawn((picture) => picture.png()),
      drawn((picture) => picture.negate().png()),
    ]);
    const animated = await sharp(frames, { join: { animated: true } })
      .webp({ lossless: true })
      .toBuffer();
    const first = await stored(animated);
    assert.equal((await sharp(first.bytes).metadata()).pages ?? 1, 1);
    assert.ok(await isUpright(first.bytes));
    const wide = await stored(await drawn((picture) => picture.withIccProfile('p3').webp()));
    assert.equal((await sharp(wide.bytes).metadata()).icc, undefined);
  });

  it('refuses what ends early or contradicts itself, and is not led astray by counts', async () => {
    const whole = await drawn((picture) => picture.ensureAlpha(0.4).withXmp(`<x/>`).webp());
    const [form, alpha, colours] = chunks(whole) as [Buffer, Buffer, Buffer];
    const other = Buffer.from(form);
    other.writeUInt16LE(4000, 12);
    const many = Array.from({ length: 20_000 }, () => chunk('none', ''));
    for (const [what, bytes, status] of [
      ['no pixels', webp(form, alpha), 422],
      ['another canvas', webp(other, alpha, colours), 422],
      ['a chunk longer than the file', webp(form, alpha, colours.subarray(0, -9)), 422],
      ['sizes of 4 GiB', webp(form, Buffer.from('none\xff\xff\xff\xff', 'latin1'), alpha, colours), 422],
      ['thousands of chunks', webp(form, ...many, alpha, colours), 200],
      ['transparency twice', webp(form, alpha, alpha, colours), 422],
      ['pixels twice', webp(form, alpha, colours, colours), 422],
    ] as const) {
      const kept = await cleaning.stored(bytes, 'webp');
      assert.equal(typeof kept === 'object' ? 200 : kept, status, what);
      if (typeof kept === 'object') await sharp(kept.bytes, { failOn: 'warning' }).raw().toBuffer();
    }
  });
});
