import assert from 'node:assert/strict';
import sharp, { type Sharp } from 'sharp';
import { bytesOf } from './bytes-of.ts';
import { jpegParts } from './jpeg-parts.ts';
import { isWhole, type Walk } from './parts.ts';
import { pngParts } from './png-parts.ts';
import { headerOf, type Header } from './weight.ts';

const drawn = (background: object = { r: 200, g: 90, b: 30 }, channels: 3 | 4 = 3): Sharp =>
  sharp({ create: { width: 61, height: 43, channels, background } as never });
const seeThrough = (): Sharp => drawn({ r: 200, g: 90, b: 30, alpha: 0.4 }, 4);

/** What the walk says of a file that it keeps whole. */
function said(walk: Walk, file: Buffer): Header | null | undefined {
  const walked = walk(
    bytesOf(
      (window, offset, length, position) => file.copy(window, offset, position, position + length),
      file.length,
    ),
  );
  assert.ok(walked && isWhole(walked.parts, file.length), 'kept whole');
  return walked.header;
}

/** Where the marker of a JPEG is. */
const markerOf = (file: Buffer, marker: number): number => file.indexOf(Buffer.from([0xff, marker]));

describe('the header that a walk finds', () => {
  const whole: Readonly<Record<string, readonly [Walk, () => Promise<Buffer>]>> = {
    'a baseline JPEG': [jpegParts, () => drawn().jpeg().toBuffer()],
    'a progressive JPEG': [jpegParts, () => drawn().jpeg({ progressive: true }).toBuffer()],
    'a grey JPEG': [jpegParts, () => drawn().greyscale().jpeg().toBuffer()],
    'a JPEG without subsampling': [jpegParts, () => drawn().jpeg({ chromaSubsampling: '4:4:4' }).toBuffer()],
    'a PNG': [pngParts, () => drawn().png().toBuffer()],
    'an interlaced PNG': [pngParts, () => drawn().png({ progressive: true }).toBuffer()],
    'a transparent PNG': [pngParts, () => seeThrough().png().toBuffer()],
    'a grey PNG': [pngParts, () => drawn().greyscale().png().toBuffer()],
    'a grey and transparent PNG': [pngParts, () => seeThrough().greyscale().png().toBuffer()],
  };
  for (const [name, [walk, make]] of Object.entries(whole))
    it(`is what a decoder says of ${name}`, async () => {
      const file = await make();
      const metadata = await sharp(file).metadata();
      assert.deepEqual(said(walk, file), headerOf(metadata));
      assert.deepEqual(
        [metadata.orientation, metadata.icc, metadata.pages],
        [undefined, undefined, undefined],
        'plain',
      );
      assert.match(metadata.space, /^(srgb|b-w)$/);
    });

  it('leaves open how many channels a palette has', async () => {
    const file = await seeThrough().png({ palette: true }).toBuffer();
    const header = headerOf(await sharp(file).metadata());
    assert.deepEqual(said(pngParts, file), { ...header, channels: undefined });
  });

  const other: Readonly<Record<string, readonly [Walk, () => Promise<Buffer>]>> = {
    'a JPEG in CMYK': [jpegParts, () => drawn().toColourspace('cmyk').jpeg().toBuffer()],
    'a JPEG of 12 bits': [jpegParts, () => patched(0xc0, 4, 12)],
    'a JPEG that has its height later': [jpegParts, () => patched(0xc0, 5, 0, 0)],
    'a JPEG of two frames': [jpegParts, twoFrames],
    'a PNG of 16 bits': [pngParts, () => drawn().toColourspace('rgb16').png().toBuffer()],
  };
  for (const [name, [walk, make]] of Object.entries(other))
    it(`is left to the decoder of ${name}`, async () => assert.equal(said(walk, await make()), null));
});

async function patched(marker: number, offset: number, ...bytes: number[]): Promise<Buffer> {
  const file = await drawn().jpeg().toBuffer();
  Buffer.from(bytes).copy(file, markerOf(file, marker) + offset);
  return file;
}

/** A second head of a frame, after the scan, of a single pixel. */
async function twoFrames(): Promise<Buffer> {
  const file = await drawn().jpeg().toBuffer();
  const at = markerOf(file, 0xc0);
  const head = Buffer.from(file.subarray(at, at + 2 + file.readUInt16BE(at + 2)));
  Buffer.from([0, 1, 0, 1]).copy(head, 5);
  return Buffer.concat([file.subarray(0, -2), head, file.subarray(-2)]);
}
