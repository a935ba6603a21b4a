import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { drawing, photo } from '../contract/pictures.ts';
import { chunk, claiming, gif, looping, png, withSegment, withoutSegment } from './picture-bytes.ts';

/** What somebody sends as a picture. */
export interface Hostile {
  readonly name: string;
  readonly file: string;
  readonly bytes: Buffer;
}

const SVG =
  '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "&x;&x;">]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><g id="a"><use href="#a"/><use href="#a"/></g><image href="http://127.0.0.1:1/"/><text>&y;</text></svg>';

/** The hostile set. `cuts`: at how many places each kind is cut short; `isFull`: with those that take seconds to make. */
export async function hostilePictures(cuts: number, isFull: boolean): Promise<Hostile[]> {
  const set: Hostile[] = [];
  const add = (name: string, bytes: Buffer, file = 'x.jpg'): void => void set.push({ name, file, bytes });
  const jpeg = await photo(320, 240);
  const pixels = await drawing(320, 240);
  const [whole, webp, avif, tiff] = await Promise.all([
    pixels.clone().png().toBuffer(),
    pixels.clone().webp().toBuffer(),
    pixels.clone().avif({ effort: 0 }).toBuffer(),
    pixels.clone().tiff().toBuffer(),
  ]);
  const wide = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: '#123' } });

  for (const isInterlaced of [false, true]) {
    const how = isInterlaced ? 'interlaced' : 'plain';
    add(`a bomb of 8000² (${how})`, png({ width: 8000, height: 8000, isInterlaced }), 'x.png');
    add(`a bomb of 20000² (${how})`, png({ width: 20_000, height: 20_000, bits: 1, isInterlaced }), 'x.png');
    add(`6300², just allowed (${how})`, png({ width: 6300, height: 6300, isInterlaced }), 'x.png');
    if (isFull)
      add(
        `6300² in 16 bits with alpha (${how})`,
        png({ width: 6300, height: 6300, bits: 16, colour: 6, isInterlaced }),
        'x.png',
      );
    add(
      `claims 2³¹−1 a side (${how})`,
      png({ width: 9, height: 9, claims: [2 ** 31 - 1, 2 ** 31 - 1], isInterlaced }),
      'x.png',
    );
    add(
      `claims 5000² and has 9² (${how})`,
      png({ width: 9, height: 9, claims: [5000, 5000], isInterlaced }),
      'x.png',
    );
    add(`claims 0 (${how})`, png({ width: 9, height: 9, claims: [0, 9], isInterlaced }), 'x.png');
  }
  const strips = [await wide(65_500, 1).jpeg().toBuffer(), await wide(1, 65_500).jpeg().toBuffer()] as const;
  add('65500 × 1 JPEG', strips[0]);
  add('1 × 65500 JPEG', strips[1]);
  add('a JPEG that claims 65535 × 1', claiming(strips[0], 65_535, 1));
  add('a JPEG that claims 1 × 65535', claiming(strips[1], 1, 65_535));
  add('a JPEG that claims 65535²', claiming(jpeg, 65_535, 65_535));
  add('a JPEG that claims 6000² and has 320 × 240', claiming(jpeg, 6000, 6000));
  add('a JPEG that claims 0 × 0', claiming(jpeg, 0, 0));
  add('65535 × 1 PNG', png({ width: 65_535, height: 1 }));
  add('1 × 65535 PNG', png({ width: 1, height: 65_535 }));
  add('a GIF that claims 65535²', gif(1, [65_535, 65_535]));
  add('a GIF of 65535 × 1', gif(1, [65_535, 1]));
  add('16383 × 1 WebP', await wide(16_383, 1).webp().toBuffer());
  const extended = Buffer.from(
    await sharp(png({ width: 9, height: 9, colour: 6 }))
      .withMetadata({ orientation: 6 })
      .webp()
      .toBuffer(),
  );
  extended.fill(0xff, 24, 30);
  add('a WebP that claims 2²⁴ a side', extended, 'x.webp');

  for (const [kind, bytes] of Object.entries({ jpeg, png: whole, webp, avif, gif: gif(3) }))
    for (let n = 1; n <= cuts; n++) {
      const end = Math.floor((bytes.length * n) / (cuts + 1));
      add(`a ${kind} cut after ${end} of ${bytes.length}`, bytes.subarray(0, end), `x.${kind}`);
    }

  add('JPEG and ZIP', Buffer.concat([jpeg, Buffer.from('PK\x03\x04'), Buffer.alloc(60)]), 'x.zip');
  add('GIF and script', Buffer.from('GIF89a/*\0\0\0*/=1;alert(1)//'), 'x.js');
  add(
    'PNG and HTML',
    png({ width: 9, height: 9, chunks: [chunk('tEXt', Buffer.from('a\0<script>alert(1)</script>'))] }),
    'x.html',
  );
  add('JPEG and HTML', withSegment(jpeg, 0xfe, Buffer.from('<script>alert(1)</script>')), 'x.html');
  for (const [name, bytes] of [
    ['SVG', Buffer.from(SVG)],
    ['SVG with a BOM', Buffer.from(`\uFEFF${SVG}`)],
    ['SVG in UTF-16', Buffer.from(`\uFEFF${SVG}`, 'utf16le')],
    ['SVG in gzip', gzipSync(SVG)],
    ['SVG behind a PNG’s signature', Buffer.concat([whole.subarray(0, 8), Buffer.from(SVG)])],
  ] as const) {
    add(name, bytes, 'x.svg');
    add(`${name}, named x.jpg`, bytes);
  }
  add('10,000 frames', gif(10_000), 'x.gif');
  const frames = [jpeg, await sharp(jpeg).flip().toBuffer()];
  add(
    'an animated WebP',
    await sharp(frames, { join: { animated: true } })
      .webp()
      .toBuffer(),
    'x.webp',
  );
  add(
    'an AVIF sequence by its brand',
    Buffer.from(avif.toString('latin1').replace('ftypavif', 'ftypavis'), 'latin1'),
    'x.avif',
  );
  add('HEIC by its brand', Buffer.from(avif.toString('latin1').replaceAll('avif', 'heic'), 'latin1'));
  const control = Buffer.alloc(8);
  control.writeUInt32BE(0xffff_ffff);
  add('an APNG of 4 billion frames', png({ width: 9, height: 9, chunks: [chunk('acTL', control)] }), 'x.png');
  for (const [count, values] of [
    [4, 1],
    [65_535, 1],
    [65_535, 2 ** 32 - 1],
    [40, 2 ** 31],
  ] as const)
    add(`EXIF in a loop, ${count} × ${values}`, withSegment(jpeg, 0xe1, looping(count, values)));
  const cmyk = await sharp(jpeg).toColourspace('cmyk').jpeg().toBuffer();
  add('CMYK with Adobe’s marker', cmyk);
  add('CMYK without', withoutSegment(cmyk, 0xee));
  for (const bits of [1, 2, 4, 8, 16]) add(`a PNG of ${bits} bits`, png({ width: 33, height: 9, bits }));
  add('a PNG with a palette', png({ width: 33, height: 9, bits: 1, colour: 3 }));
  add('a PNG of 16 bits with alpha', png({ width: 33, height: 9, bits: 16, colour: 6, isInterlaced: true }));
  add('TIFF', tiff);
  add('PDF', Buffer.from('%PDF-1.4\n1 0 obj<<>>endobj\n'));
  add('ICO', Buffer.from('\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0', 'latin1'));
  add('nothing', Buffer.alloc(0));
  for (const byte of [0, 0x47, 0x89, 0xff]) add(`the byte ${byte}`, Buffer.from([byte]));
  add('a JPEG that is called a PNG', jpeg, 'x.png');
  add('a PNG that is called a text', whole, 'x.txt');
  return set;
}
