import assert from 'node:assert/strict';
import sharp, { type Sharp } from 'sharp';
import { withSegment } from '../../test/support/picture-bytes.ts';
import { bytesOf } from './bytes-of.ts';
import { JpegMarks } from './jpeg-marks.ts';
import { jpegParts } from './jpeg-parts.ts';
import { Problem } from './problem.ts';

const noise = (): Sharp =>
  sharp({
    create: {
      width: 640,
      height: 480,
      channels: 3,
      background: 'red',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  } as never);

/** What the walk says of a file that came in pieces of `piece` bytes, and how many bytes it read; without pieces nothing was looked for as it came. */
function walk(file: Buffer, piece?: number): { said: unknown; read: number } {
  const marks = piece === undefined ? undefined : new JpegMarks();
  for (let at = 0; marks && at < file.length; at += piece!) marks.push(file.subarray(at, at + piece!));
  let read = 0;
  const bytes = bytesOf((window, offset, length, position) => {
    const count = file.copy(window, offset, position, position + length);
    read += count;
    return count;
  }, file.length);
  try {
    return { said: jpegParts(bytes, marks), read };
  } catch (error) {
    assert.ok(error instanceof Problem);
    return { said: error.message, read };
  }
}

describe('marks of a JPEG', () => {
  const marked = Buffer.alloc(60_000, Buffer.from([0xff, 0xc4, 0, 0xff, 0xd0, 0xff]));
  const files: Readonly<Record<string, () => Promise<Buffer>>> = {
    baseline: () => noise().jpeg().toBuffer(),
    progressive: () => noise().jpeg({ progressive: true }).toBuffer(),
    'with restarts and bytes that fill': async () => {
      const file = await noise().jpeg().toBuffer();
      const middle = file.length >> 1;
      return Buffer.concat([
        file.subarray(0, middle),
        Buffer.from('ffd3ff00ffff', 'hex'),
        file.subarray(middle),
      ]);
    },
    'with more of them in a segment than are remembered': async () =>
      withSegment(await noise().jpeg().toBuffer(), 0xe1, marked),
    'with something behind its end': async () => Buffer.concat([await noise().jpeg().toBuffer(), marked]),
    'cut off': async () => (await noise().jpeg().toBuffer()).subarray(0, -2),
    'cut off in its last marker': async () => (await noise().jpeg().toBuffer()).subarray(0, -1),
  };
  for (const [name, make] of Object.entries(files))
    it(`are where a walk over all of the file finds them: ${name}`, async () => {
      const file = await make();
      const { said } = walk(file);
      for (const piece of [1, 2, 3, 1000, 65_536, file.length])
        assert.deepEqual(walk(file, piece).said, said, `pieces of ${piece}`);
    });

  it('are not looked for in what is no JPEG', () => {
    const marks = new JpegMarks();
    for (const piece of [Buffer.from('RIFF'), marked]) marks.push(piece);
    assert.equal(marks.from(0), undefined);
  });

  it('spare the walk the pixels', async () => {
    const file = await noise().jpeg({ quality: 98 }).toBuffer();
    assert.ok(file.length > 4 * 65_536);
    assert.ok(walk(file).read >= file.length);
    assert.ok(walk(file, 65_536).read <= 2 * 65_536);
  });
});
