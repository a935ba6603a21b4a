import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { createBounded } from './bounded.ts';
import { ENCODERS } from './codecs.ts';
import { Problem } from './problem.ts';
import { createRender, type Stored } from './render.ts';
import { weightOf } from './weight.ts';
import { readWish, type Wish } from './wish.ts';

const wish = (query: string): Wish => readWish(new URLSearchParams(query), 'png', '')!;

describe('making a picture of a stored one', function () {
  this.timeout(60_000);
  let folder: string;
  const bounded = createBounded({ inWork: 1, waiting: 10, patience: 10_000 });
  before(() => void (folder = mkdtempSync(join(tmpdir(), 'render-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (bytes: Buffer): Stored => {
    const path = join(folder, 'picture');
    writeFileSync(path, bytes);
    return { path, sha256: createHash('sha256').update(bytes).digest('hex') };
  };

  it('turns the colours of other profiles into sRGB', async () => {
    const create = { width: 20, height: 20, channels: 3, background: { r: 255, g: 120, b: 0 } } as const;
    const p3 = await sharp({ create }).withIccProfile('p3').png().toBuffer();
    // The same numbers, with another meaning: what is stored says P3 of pixels that are not sRGB.
    assert.notDeepEqual(await rawPixel(sharp(p3, { ignoreIcc: true })), [255, 120, 0]);
    const made = await createRender({ bounded })(file(p3), wish('w=10&format=png'));
    assert.equal((await sharp(made).metadata()).icc, undefined);
    const [r, g, b] = await rawPixel(sharp(made));
    for (const [is, was] of [
      [r, 255],
      [g, 120],
      [b, 0],
    ] as const)
      assert.ok(Math.abs(is! - was) < 4, `${is} for ${was}`);
  });

  it('takes the first frame of an animation', async () => {
    const frame = (background: string): Promise<Buffer> =>
      sharp({ create: { width: 30, height: 30, channels: 3, background } })
        .png()
        .toBuffer();
    const animated = await sharp([await frame('#f00'), await frame('#00f')], { join: { animated: true } })
      .webp({ lossless: true })
      .toBuffer();
    assert.equal((await sharp(animated).metadata()).pages, 2);
    const made = await createRender({ bounded })(file(animated), wish('w=10&format=png'));
    assert.deepEqual(await rawPixel(sharp(made)), [255, 0, 0]);
  });

  it('ends with 503 what takes too long, and gives the room back when the work is over', async () => {
    const stored = file(await noise(1500, 1500).png().toBuffer());
    const render = createRender({ bounded, workTime: 5 });
    await assert.rejects(
      render(stored, wish('w=1500&format=webp')),
      (error) => error instanceof Problem && error.status === 503 && error.headers['retry-after'] === '10',
    );
    assert.equal(await bounded(async () => bounded.load().inWork), 1);
  });

  it('says 422 of a JPEG that nobody can read to its end', async () => {
    const bytes = await noise(1000, 700).jpeg({ quality: 50 }).toBuffer();
    // Coded data of nothing but ones, which no code begins with.
    for (let at = bytes.length >> 1; at < bytes.length - 4; at += 2) bytes.writeUInt16BE(0xff00, at);
    await assert.rejects(
      createRender({ bounded })(file(bytes), wish('w=100&format=webp')),
      (error) => error instanceof Problem && error.status === 422,
    );
  });

  it('never spends more than four times the CPU of WebP on AVIF', async () => {
    for (const side of [100, 320, 1200]) {
      const { data, info } = await noise(side, side).raw().toBuffer({ resolveWithObject: true });
      const cost = async (kind: 'webp' | 'avif'): Promise<number> => {
        const before = process.cpuUsage();
        const { width, height, channels } = info;
        const picture = sharp(data, { raw: { width, height, channels } });
        await ENCODERS[kind](picture, undefined, width * height).toBuffer();
        const { user, system } = process.cpuUsage(before);
        return user + system;
      };
      const costs: Record<'webp' | 'avif', number[]> = { webp: [], avif: [] };
      for (let round = 0; round < 5; round++)
        for (const kind of ['webp', 'avif'] as const) costs[kind].push(await cost(kind));
      const [webp, avif] = [Math.min(...costs.webp), Math.min(...costs.avif)];
      assert.ok(avif < 4 * webp, `${side}: ${(avif / webp).toFixed(1)} times`);
    }
  });

  it('weighs by how a format is read', () => {
    const header = { width: 4000, height: 3000, channels: 3, depth: 'uchar' } as const;
    const made = { width: 320, height: 240, kind: 'jpeg' };
    const weight = (more: object): number => weightOf({ ...header, ...more }, made) / 2 ** 20;
    for (const light of [{ format: 'jpeg' }, { format: 'png' }])
      assert.ok(weight(light) < 8, JSON.stringify(light));
    assert.ok(weight({ format: 'jpeg', isProgressive: true }) > 68);
    assert.ok(weight({ format: 'png', isProgressive: true }) > 34);
    assert.ok(weight({ format: 'png', isProgressive: true, depth: 'ushort' }) > 68);
    assert.ok(weight({ format: 'webp' }) > 34);
    // Measured: 217 MiB. What telephones take must fit in twice the memory that is preset.
    assert.ok(weight({ format: 'heif' }) > 217);
    assert.ok(weight({ format: 'heif', width: 4032, height: 3024 }) < 224);
    assert.ok(weightOf({ ...header, format: 'jpeg' }, { width: 4000, height: 3000, kind: 'avif' }) > 2 ** 28);
  });
});

/** Smooth, with grain: as hard to encode as a photograph in poor light. */
function noise(width: number, height: number): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  let state = 1;
  for (let at = 0; at < pixels.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const [x, y] = [(at / 3) % width, at / 3 / width];
    pixels[at] = 128 + 80 * Math.sin(x / 97 + (at % 3)) * Math.cos(y / 83) + (state >>> 28);
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

async function rawPixel(picture: Sharp): Promise<number[]> {
  return [...(await picture.removeAlpha().raw().toBuffer()).subarray(0, 3)];
}
