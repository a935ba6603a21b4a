import { crc32, deflateSync } from 'node:zlib';

/** PNG's colour types (RFC 2083 §4.1.1) with the channels they have. */
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;

export interface PngForm {
  readonly width: number;
  readonly height: number;
  readonly bits?: number;
  readonly colour?: keyof typeof CHANNELS;
  readonly isInterlaced?: boolean;
  /** Sides that the header claims; default: the true ones. */
  readonly claims?: readonly [number, number];
  /** Chunks between the header and the pixels. */
  readonly chunks?: readonly Buffer[];
}

/** A PNG all of zeros, written by hand: no encoder would write the hostile ones. */
export function png(form: PngForm): Buffer {
  const { width, height, bits = 8, colour = 0, isInterlaced = false, claims = [width, height] } = form;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(claims[0], 0);
  header.writeUInt32BE(claims[1], 4);
  header.set([bits, colour, 0, 0, isInterlaced ? 1 : 0], 8);
  const line = (pixels: number): number => 1 + Math.ceil((pixels * bits * CHANNELS[colour]) / 8);
  const passes = isInterlaced ? ADAM7 : [[0, 0, 1, 1] as const];
  const size = passes.reduce((sum, [x, y, stepX, stepY]) => {
    const [columns, rows] = [Math.ceil((width - x) / stepX), Math.ceil((height - y) / stepY)];
    return columns > 0 && rows > 0 ? sum + rows * line(columns) : sum;
  }, 0);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(colour === 3 ? [chunk('PLTE', Buffer.from([200, 40, 40, 0, 0, 0]))] : []),
    ...(form.chunks ?? []),
    chunk('IDAT', deflateSync(Buffer.alloc(size))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Where each pass begins, and its steps: x, y, across, down (RFC 2083 §2.6). */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** A chunk of a PNG with its checksum. */
export function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A GIF of `frames` pictures of one pixel; the screen claims `sides`. */
export function gif(frames: number, sides: readonly [number, number] = [1, 1]): Buffer {
  const head = Buffer.from('GIF89a\0\0\0\0\x80\0\0\xc8\x28\x28\0\0\0', 'latin1');
  head.writeUInt16LE(sides[0], 6);
  head.writeUInt16LE(sides[1], 8);
  // A delay, a picture of 1 × 1, and the codes clear, 0, end in three bits each.
  const frame = Buffer.from('\x21\xf9\x04\0\x05\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0', 'latin1');
  return Buffer.concat([head, ...Array.from({ length: frames }, () => frame), Buffer.from(';')]);
}

/** A JPEG with a further segment right after its beginning. */
export function withSegment(jpeg: Buffer, marker: number, data: Buffer): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, data, jpeg.subarray(2)]);
}

/** The same without its segments of a kind. */
export function withoutSegment(jpeg: Buffer, marker: number): Buffer {
  const kept = [jpeg.subarray(0, 2)];
  let at = 2;
  // Up to the start of the scan; what follows has no segments worth a look.
  while (jpeg[at + 1] !== 0xda) {
    const end = at + 2 + jpeg.readUInt16BE(at + 2);
    if (jpeg[at + 1] !== marker) kept.push(jpeg.subarray(at, end));
    at = end;
  }
  return Buffer.concat([...kept, jpeg.subarray(at)]);
}

/** A JPEG whose frame header claims other sides. */
export function claiming(jpeg: Buffer, width: number, height: number): Buffer {
  const copy = Buffer.from(jpeg);
  const at = copy.findIndex((byte, index) => byte === 0xff && [0xc0, 0xc2].includes(copy[index + 1]!));
  copy.writeUInt16BE(height, at + 5);
  copy.writeUInt16BE(width, at + 7);
  return copy;
}

/** EXIF whose directory says `count` entries, each with `values` values, and whose next directory is itself. */
export function looping(count: number, values: number): Buffer {
  const entries = Math.min(count, 40);
  const exif = Buffer.alloc(6 + 8 + 2 + entries * 12 + 4);
  exif.write('Exif\0\0II*\0', 'latin1');
  exif.writeUInt32LE(8, 10);
  exif.writeUInt16LE(count, 14);
  for (let n = 0; n < entries; n++) {
    const at = 16 + n * 12;
    // The directory of the camera, of its place and of a thumbnail lie where this one lies; all else is numbers.
    exif.writeUInt16LE([0x8769, 0x8825, 0x014a, 0x0112][n % 4]!, at);
    exif.writeUInt16LE(4, at + 2);
    exif.writeUInt32LE(values, at + 4);
    exif.writeUInt32LE(8, at + 8);
  }
  exif.writeUInt32LE(8, 16 + entries * 12);
  return exif;
}
