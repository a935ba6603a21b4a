import assert from 'node:assert/strict';
import sharp, { type Sharp } from 'sharp';
import { openImageSides, type ImageSides } from '../support/image-sides.ts';
import { withSegment, withoutSegment } from '../support/picture-bytes.ts';
import { drawing } from './pictures.ts';

const MARK = 'PLANTED-SECRET';
const NOTHING = { incoming: [], withoutRow: [], withoutFile: [] };

/** A segment of a JPEG: two bytes of marker, two of length. */
function segment(marker: number, text: string): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(text.length + 2, 2);
  return Buffer.concat([head, Buffer.from(text, 'latin1')]);
}

/** A chunk of a PNG; nobody reads the checksum of one that is skipped. */
function chunk(type: string, text: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(text.length);
  return Buffer.concat([head, Buffer.from(type + text, 'latin1'), Buffer.alloc(4)]);
}

function inserted(bytes: Buffer, at: number, ...added: Buffer[]): Buffer {
  return Buffer.concat([bytes.subarray(0, at), ...added, bytes.subarray(at)]);
}

const pixels = (bytes: Buffer): Promise<Buffer> => sharp(bytes).raw().toBuffer();

/** The service keeps pixels as they were coded, and nothing else; the monolith encodes them anew (decisions/016). */
describe('uploads whose pixels are as they should be', () => {
  let sides: ImageSides;
  before(async () => {
    sides = await openImageSides();
  });
  after(() => sides?.close());

  for (const name of ['imageApi', 'ownImageApi'] as const) {
    describe(`at the ${name}`, () => {
      const upload = async (bytes: Buffer): Promise<Response> => {
        const body = new FormData();
        body.set('image', new Blob([new Uint8Array(bytes)]), 'x');
        const { cookie } = sides;
        return fetch(`${sides[name].url}/products/1/images`, { method: 'POST', headers: { cookie }, body });
      };
      const served = async (response: Response, query = ''): Promise<Buffer> => {
        assert.equal(response.status, 201, await response.clone().text());
        const answer = await fetch(`${sides[name].url}${response.headers.get('location')}${query}`);
        assert.equal(answer.status, 200);
        return Buffer.from(await answer.arrayBuffer());
      };
      const drawn = async (make: (picture: Sharp) => Sharp): Promise<Buffer> =>
        make(await drawing(160, 120)).toBuffer();

      const plain: readonly (readonly [string, (picture: Sharp) => Sharp])[] = [
        ['a JPEG', (picture) => picture.jpeg({ quality: 77 })],
        ['a progressive JPEG', (picture) => picture.jpeg({ progressive: true })],
        ['a grey JPEG', (picture) => picture.toColourspace('b-w').jpeg()],
        ['a JPEG without subsampling', (picture) => picture.jpeg({ chromaSubsampling: '4:4:4' })],
        ['a PNG', (picture) => picture.png()],
        ['an interlaced PNG', (picture) => picture.png({ progressive: true })],
        ['a PNG with a palette', (picture) => picture.png({ palette: true, colours: 16 })],
        ['a PNG with transparency', (picture) => picture.ensureAlpha(0.5).png()],
        ['a WebP', (picture) => picture.webp()],
        ['a lossless WebP', (picture) => picture.webp({ lossless: true })],
      ];
      for (const [what, make] of plain)
        it(`keeps ${what} bit by bit`, async () => {
          const bytes = await drawn(make);
          const kept = await served(await upload(bytes));
          assert.ok(kept.equals(bytes), `${bytes.length} bytes came, ${kept.length} are served`);
        });

      it('leaves out of a JPEG whatever is not pixels', async () => {
        for (const progressive of [false, true]) {
          const bytes = await drawn((picture) => picture.jpeg({ progressive }));
          const segments = [0xe0, 0xe1, 0xe2, 0xe3, 0xec, 0xed, 0xee, 0xef, 0xfe].map((marker) =>
            segment(marker, MARK),
          );
          const longJfif = segment(0xe0, `JFIF\0\x01\x01\0\0\x01\0\x01\0\0${MARK}`);
          const dirty = Buffer.concat([
            inserted(bytes, 2, longJfif, ...segments),
            Buffer.from(`PK\x03\x04${MARK}`, 'latin1'),
          ]);
          const kept = await served(await upload(dirty));
          assert.ok(dirty.includes(MARK) && !kept.includes(MARK));
          assert.ok((await pixels(kept)).equals(await pixels(bytes)), `progressive: ${progressive}`);
          assert.ok(!(await served(await upload(dirty), '?w=80')).includes(MARK));
        }
      });

      it('shows a JPEG in the colours that its odd segments give it', async () => {
        const bare = withoutSegment(await drawn((picture) => picture.jpeg({ quality: 95 })), 0xe0);
        // Says that the three colours are red, green and blue; decoders look at its first twelve bytes.
        const adobe = Buffer.from(`Adobe\0\x64\0\0\0\0\0${MARK}`, 'latin1');
        for (const odd of [
          withSegment(bare, 0xee, adobe),
          withSegment(withSegment(bare, 0xee, adobe.subarray(0, 12)), 0xe0, Buffer.from('JFIF\0')),
        ]) {
          const [one, other] = [await pixels(odd), await pixels(await served(await upload(odd)))];
          const sum = one.reduce((total, value, i) => total + Math.abs(value - other[i]!), 0);
          assert.ok(sum / one.length < 4, `${sum / one.length} off`);
        }
      });

      it('leaves out of a PNG and a WebP whatever is not pixels', async () => {
        const png = await drawn((picture) => picture.png());
        const chunks = ['tEXt', 'zTXt', 'iTXt', 'tIME', 'prIv', 'fdAT'].map((type) => chunk(type, MARK));
        // IHDR is always 25 bytes.
        const dirty = Buffer.concat([inserted(png, 33, ...chunks), Buffer.from(MARK)]);
        const kept = await served(await upload(dirty));
        assert.ok(!kept.includes(MARK) && kept.equals(png));
        const webp = await drawn((picture) => picture.webp());
        assert.ok((await served(await upload(Buffer.concat([webp, Buffer.from(MARK)])))).equals(webp));
        const extended = await drawn((picture) =>
          picture.withXmp(`<x:xmpmeta xmlns:x="adobe:ns:meta/">${MARK}</x:xmpmeta>`).webp(),
        );
        assert.ok(extended.includes(MARK) && !(await served(await upload(extended))).includes(MARK));
      });

      it('brings other colours to sRGB: wide ones, printed ones, deep ones', async () => {
        // The same colours, written with another profile: what is seen must stay.
        const seen = await drawn((picture) => picture.png());
        const written: readonly (readonly [string, Buffer])[] = [
          ['p3', await drawn((picture) => picture.withIccProfile('p3').jpeg({ quality: 98 }))],
          ['p3 png', await drawn((picture) => picture.withIccProfile('p3').png())],
          ['cmyk', await drawn((picture) => picture.toColourspace('cmyk').jpeg({ quality: 98 }))],
          ['16 bit', await drawn((picture) => picture.toColourspace('rgb16').png())],
        ];
        for (const [what, bytes] of written) {
          const kept = await served(await upload(bytes), '?format=png');
          const { space, depth, icc } = await sharp(kept).metadata();
          assert.deepEqual([space, depth, icc], ['srgb', 'uchar', undefined], what);
          const [one, other] = [await pixels(seen), await sharp(kept).removeAlpha().raw().toBuffer()];
          assert.equal(one.length, other.length, what);
          const sum = one.reduce((total, value, i) => total + Math.abs(value - other[i]!), 0);
          // Print has no bright red, so there colours move a little.
          assert.ok(sum / one.length < (what === 'cmyk' ? 20 : 4), `${what}: ${sum / one.length} off`);
        }
      });

      it('finds damage anywhere, and serves none', async () => {
        const big = (make: (picture: Sharp) => Sharp): Promise<Buffer> =>
          make(
            sharp({
              create: {
                width: 600,
                height: 500,
                channels: 3,
                background: '#888',
                noise: { type: 'gaussian', mean: 128, sigma: 40 },
              },
            }),
          ).toBuffer();
        for (const [what, make] of plain) {
          const bytes = await big(make);
          for (const part of [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.9999]) {
            const cut = bytes.subarray(0, Math.floor(bytes.length * part));
            assert.equal((await upload(cut)).status, 422, `${what}, ${part} of it`);
          }
        }
        for (const progressive of [false, true]) {
          const bytes = await big((picture) => picture.jpeg({ progressive }));
          const holed = Buffer.concat([
            bytes.subarray(0, bytes.length / 3),
            bytes.subarray(bytes.length - 2),
          ]);
          // Decoders make do with a part that is missing, with a warning: what is served deserves none.
          const kept = await served(await upload(holed));
          await sharp(kept, { failOn: 'warning' }).stats();
        }
        assert.deepEqual(await sides[name].leftovers(), NOTHING);
      }).timeout(60_000);
    });
  }
});
