import assert from 'node:assert/strict';
import sharp, { type Sharp } from 'sharp';
import type { Response, Test } from 'supertest';
import { drawing, isUpright, photo } from './pictures.ts';

type Send = (method: 'get' | 'post', path: string) => Test;

/** What strangers send, by accident or on purpose. Part of the image contract. */
export function hostileUploads(
  upload: (bytes: Buffer, file?: string) => Promise<Response>,
  asCustomer: (test: Test) => Test,
  send: Send,
): void {
  const served = async (response: Response, query = ''): Promise<Buffer> =>
    (await send('get', response.headers['location']! + query).buffer(true)).body as Buffer;

  for (let orientation = 1; orientation <= 8; orientation++) {
    it(`turns a picture with EXIF orientation ${orientation} upright`, async () => {
      // The pixels as a camera held that way would store them: the drawing, turned by the opposite of what the tag asks for.
      const upright = await (await drawing(80, 60)).png().toBuffer();
      const inverse = [
        null,
        (s: Sharp) => s,
        (s: Sharp) => s.flop(),
        (s: Sharp) => s.rotate(180),
        (s: Sharp) => s.flip(),
        null,
        (s: Sharp) => s.rotate(270),
        null,
        (s: Sharp) => s.rotate(90),
      ][orientation];
      const stored = inverse
        ? await inverse(sharp(upright)).png().toBuffer()
        : await transposed(upright, orientation);
      const response = await upload(
        await sharp(stored).withMetadata({ orientation }).jpeg({ quality: 95 }).toBuffer(),
      );
      assert.equal(response.status, 201, response.text);
      assert.deepEqual([response.body.width, response.body.height], [80, 60]);
      assert.ok(await isUpright(await served(response)), 'as stored');
      assert.ok(await isUpright(await served(response, '?w=40&format=png')), 'resized');
    });
  }

  it('takes place, camera and names out of what it serves', async () => {
    const bytes = await sharp(await photo(60, 40))
      .withExif({
        IFD0: { Artist: 'Somebody', Make: 'Camera' },
        IFD3: { GPSLatitude: '52/1 30/1 0/1', GPSLatitudeRef: 'N' },
      })
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"><secret/></x:xmpmeta>')
      .jpeg()
      .toBuffer();
    assert.ok(bytes.includes('Somebody'), 'the input carries it');
    const response = await upload(bytes);
    for (const query of ['', '?w=30', '?w=30&format=webp', '?format=avif', '?format=png']) {
      const body = await served(response, query);
      const { exif, xmp, iptc } = await sharp(body).metadata();
      assert.deepEqual(
        [exif, xmp, iptc, body.includes('Somebody')],
        [undefined, undefined, undefined, false],
        query,
      );
    }
  });

  const bad: readonly (readonly [string, () => Promise<Buffer>, string, number])[] = [
    [
      'an SVG that calls itself a JPEG',
      async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      'x.jpg',
      415,
    ],
    ['text that calls itself a PNG', async () => Buffer.from('hello '.repeat(100)), 'x.png', 415],
    ['nothing', async () => Buffer.alloc(0), 'x.jpg', 415],
    ['a PDF', async () => Buffer.from('%PDF-1.4\n1 0 obj<<>>endobj\n'), 'x.jpg', 415],
    [
      'a TIFF',
      async () =>
        sharp(await photo(20, 20))
          .tiff()
          .toBuffer(),
      'x.jpg',
      415,
    ],
    ['HEIC that calls itself a JPEG', async () => HEIC, 'x.jpg', 415],
    ['the first 40 bytes of a JPEG', async () => (await photo(60, 60)).subarray(0, 40), 'x.jpg', 422],
    ['half a WebP', async () => halfOf(await as('webp')), 'x.webp', 422],
    ['half an AVIF', async () => halfOf(await as('avif')), 'x.avif', 422],
    [
      'a script that begins like a GIF',
      async () => Buffer.from('GIF89a=1;/*<script>alert(1)</script>*/'),
      'x.gif',
      422,
    ],
    ['half a JPEG', async () => halfOf(await photo(600, 600)), 'x.jpg', 422],
    [
      'half a PNG',
      async () =>
        halfOf(
          await sharp(await photo(600, 600))
            .png()
            .toBuffer(),
        ),
      'x.png',
      422,
    ],
    ['a PNG of 64 megapixels in a few kilobytes', () => huge(), 'x.png', 413],
    ['26 MiB', async () => Buffer.concat([await photo(20, 20), Buffer.alloc(26 * 2 ** 20)]), 'x.jpg', 413],
  ];
  for (const [what, bytes, file, status] of bad) {
    it(`answers ${status} to ${what}`, async () => {
      const response = await upload(await bytes(), file);
      assert.equal(response.status, status, response.text);
      assert.match(response.headers['content-type']!, /^application\/problem\+json/);
    });
  }

  it('keeps of a picture with a page behind it only the picture', async () => {
    const response = await upload(
      Buffer.concat([await photo(60, 40), Buffer.from('<script>alert(1)</script>PK\x03\x04')]),
      'x.html',
    );
    assert.equal(response.status, 201, response.text);
    const { headers } = await send('get', response.headers['location']!).expect('content-type', 'image/jpeg');
    assert.equal(Number(headers['content-length']), response.body.bytes);
    assert.ok(!(await served(response)).includes('<script>'));
  });

  it('keeps the first picture of an animation', async () => {
    const pages = [
      await photo(30, 20),
      await sharp(await photo(30, 20))
        .flip()
        .toBuffer(),
    ];
    const gif = await sharp(pages, { join: { animated: true } })
      .gif()
      .toBuffer();
    assert.equal((await sharp(gif).metadata()).pages, 2);
    const response = await upload(gif, 'x.gif');
    assert.equal(response.status, 201, response.text);
    assert.deepEqual([response.body.contentType, response.body.height], ['image/gif', 20]);
    assert.equal((await sharp(await served(response)).metadata()).pages ?? 1, 1);
    assert.equal((await sharp(await served(response, '?w=15')).metadata()).format, 'png');
  });

  it('makes no monster of a strip', async () => {
    const strip = sharp({ create: { width: 20_000, height: 20, channels: 3, background: '#123' } });
    const response = await upload(await strip.png({ compressionLevel: 1 }).toBuffer(), 'x.png');
    assert.equal(response.status, 201, response.text);
    for (const [query, width, height] of [
      ['?h=4096', 4096, 4],
      ['?format=webp', 16_383, 16],
      ['?format=avif', 16_384, 16],
      ['?format=jpeg', 20_000, 20],
      ['?w=10', 10, 1],
    ] as const) {
      const found = await sharp(await served(response, query)).metadata();
      assert.deepEqual([found.width, found.height], [width, height], query);
    }
  });

  it('goes by the bytes, not by the name', async () => {
    const response = await upload(
      await sharp(await photo(20, 20))
        .png()
        .toBuffer(),
      'photo.jpg',
    );
    assert.equal(response.status, 201);
    assert.equal(response.body.contentType, 'image/png');
  });

  it('is not moved by file names', async () => {
    for (const name of [
      '../../../etc/passwd',
      'a\r\nSet-Cookie: x=1',
      '"; filename="b.svg',
      '\u202egpj.exe',
      '日本.jpg',
      `${'x'.repeat(2000)}.jpg`,
    ]) {
      const response = await upload(await photo(20, 20), name);
      assert.equal(response.status, 201, `${name}: ${response.text}`);
      const { headers } = await send('get', response.headers['location']!);
      assert.equal(headers['set-cookie']?.toString().includes('x=1') ?? false, false);
      assert.equal(headers['content-disposition'], 'inline');
    }
  });

  it('refuses forms that are not one picture and one text', async () => {
    const bytes = await photo(20, 20);
    const post = (): Test => asCustomer(send('post', '/products/1/images'));
    assert.equal((await post().attach('image', bytes, 'a.jpg').attach('image', bytes, 'b.jpg')).status, 400);
    assert.equal((await post().attach('picture', bytes, 'a.jpg')).status, 400);
    assert.equal((await post().field('alt', 'x')).status, 400);
    assert.equal((await post().field('alt', 'x'.repeat(1001)).attach('image', bytes, 'a.jpg')).status, 400);
    assert.equal((await post().field('title', 'x').attach('image', bytes, 'a.jpg')).status, 400);
    assert.equal(
      (await post().field('alt', 'x').field('alt', 'y').attach('image', bytes, 'a.jpg')).status,
      400,
    );
    assert.equal((await post().field('alt[x]', 'x').attach('image', bytes, 'a.jpg')).status, 400);
    assert.equal((await post().send({ image: 'x' })).status, 400);
    assert.equal((await post().type('text/plain').send('x')).status, 400);
    assert.equal((await post().type('multipart/form-data').send('x')).status, 400);
    const cut = '--b\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\nxx';
    assert.equal((await post().set('content-type', 'multipart/form-data; boundary=b').send(cut)).status, 400);
    assert.equal(
      (await asCustomer(send('post', '/products/999999999/images')).attach('image', bytes, 'a.jpg')).status,
      404,
    );
  });
}

let unfolding: Promise<Buffer> | null = null;
/** 8000 × 8000 pixels, interlaced, in a few kilobytes; made once, for making it is the slow part. */
function huge(): Promise<Buffer> {
  unfolding ??= sharp({ create: { width: 8000, height: 8000, channels: 3, background: '#000' } })
    .png({ progressive: true })
    .toBuffer();
  return unfolding;
}

async function as(format: 'webp' | 'avif'): Promise<Buffer> {
  return sharp(await photo(300, 300))
    .toFormat(format)
    .toBuffer();
}

/** The first box of a picture as telephones make them. */
const HEIC = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic' + '\0'.repeat(100), 'latin1');

const halfOf = (bytes: Buffer): Buffer => bytes.subarray(0, Math.floor(bytes.length / 2));

/** Orientations 5 and 7 mirror at a diagonal, which no single operation of sharp does. */
async function transposed(bytes: Buffer, orientation: number): Promise<Buffer> {
  const turned = await sharp(bytes)
    .rotate(orientation === 5 ? 90 : 270)
    .png()
    .toBuffer();
  return sharp(turned).flop().png().toBuffer();
}
