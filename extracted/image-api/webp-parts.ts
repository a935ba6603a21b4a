import type { BytesOf } from './bytes-of.ts';
import type { Span } from './original.ts';
import { Kept, MOST_SEGMENTS, type Walk, type Walked } from './parts.ts';
import { damaged } from './problem.ts';

/** Flags of an extended WebP (RFC 9649 §2.7.1). */
const ANIMATED = 0x02;
const ALPHA = 0x10;

/** The extended form's header: what flags it has, and its canvas as it is coded. */
interface Extended {
  readonly flags: number;
  readonly canvas: Buffer;
}

/**
 * Of a WebP (RFC 9649 §2.5–2.7) the chunk of its pixels, and with a lossy one its transparency. What the extended form has beside them (EXIF, XMP, whatever a
 * program cared to leave) is left out, and so is the extended form itself where no transparency needs it.
 */
export const webpParts: Walk = (bytes) => {
  const head = bytes.at(0, 12);
  if (head.length < 12) throw damaged();
  const end = 8 + head.readUInt32LE(4);
  if (end > bytes.size) throw damaged();
  let extended: Extended | null = null;
  let alpha: Span | null = null;
  let offset = 12;
  for (let count = 0; count < MOST_SEGMENTS; count++) {
    const begin = bytes.at(offset, 18);
    const length = begin.length < 8 ? Infinity : begin.readUInt32LE(4);
    if (offset + 8 + length > end) throw damaged();
    const span = { start: offset, end: offset + 7 + length };
    const type = begin.toString('latin1', 0, 4);
    if (type === 'VP8 ' || type === 'VP8L') {
      // A lossless picture has its transparency in itself. Where the header says otherwise, decoders may differ.
      if (extended && type === 'VP8L' && (begin[12]! & 0x10) !== (extended.flags & ALPHA)) return null;
      if (type === 'VP8L') alpha = null;
      return made(bytes, alpha && extended ? [extended, alpha] : null, span);
    }
    if (type === 'VP8X') {
      if (offset !== 12 || length !== 10) return null;
      extended = { flags: begin[8]!, canvas: Buffer.from(begin.subarray(12, 18)) };
      // Of an animation the first frame has to be drawn on its canvas.
      if (extended.flags & ANIMATED) return null;
    } else if (!extended || type === 'ICCP' || type === 'ANIM' || type === 'ANMF') return null;
    else if (type === 'ALPH') {
      if (alpha || !(extended.flags & ALPHA)) return null;
      alpha = span;
    }
    offset += 8 + length + (length % 2);
  }
  return null;
};

/** The file of these chunks: with its size, and zeros after chunks of odd length. */
function made(bytes: BytesOf, transparent: readonly [Extended, Span] | null, pixels: Span): Walked {
  const kept = new Kept();
  const chunks = transparent ? [transparent[1], pixels] : [pixels];
  const sizes = chunks.map(({ start, end }) => 2 * Math.ceil((end - start + 1) / 2));
  const size = sizes.reduce((sum, each) => sum + each, transparent ? 22 : 4);
  if (bytes.at(4, 4).readUInt32LE(0) === size) kept.keep(0, 12);
  else {
    const head = Buffer.from('RIFF\0\0\0\0WEBP', 'latin1');
    head.writeUInt32LE(size, 4);
    kept.put(head);
  }
  if (transparent) {
    const head = Buffer.from(`VP8X\x0a\0\0\0${String.fromCharCode(ALPHA)}\0\0\0`, 'latin1');
    kept.put(Buffer.concat([head, transparent[0].canvas]));
  }
  for (const { start, end } of chunks) {
    kept.keep(start, end - start + 1);
    if ((end - start) % 2 === 1) continue;
    const padding = bytes.at(end + 1, 1);
    if (padding[0] === 0) kept.keep(end + 1, 1);
    else kept.put(Buffer.alloc(1));
  }
  return { parts: kept.parts, proof: 'shrunk' };
}
