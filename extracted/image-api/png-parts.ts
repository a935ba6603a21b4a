import { Kept, MOST_SEGMENTS, type Walk } from './parts.ts';
import { damaged } from './problem.ts';

/** Chunks that pixels are decoded with (PNG, 3rd edition, §11.2 and tRNS); an animation's further frames are none of them. */
const NEEDED = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);

/** Of a PNG: its pixels, palette, transparency and resolution (nine bytes, with no room for more), up to IEND. Texts, times, colour hints and frames of an animation are left out. */
export const pngParts: Walk = async (bytes) => {
  const kept = new Kept();
  kept.keep(0, 8);
  let offset = 8;
  for (let count = 0; count < MOST_SEGMENTS; count++) {
    const head = await bytes.at(offset, 8);
    if (head.length < 8) throw damaged();
    const type = head.toString('latin1', 4, 8);
    // Length, type and checksum are not counted in the length.
    const length = 12 + head.readUInt32BE(0);
    if (offset + length > bytes.size) throw damaged();
    if (NEEDED.has(type) || (type === 'pHYs' && length === 21)) kept.keep(offset, length);
    // Colours of its own need converting; a chunk that must be understood and is not is for the decoder to judge.
    else if (type === 'iCCP' || type === 'cICP' || (head[4]! & 0x20) === 0) return null;
    if (type === 'IEND') return length === 12 ? { parts: kept.parts, proof: 'all' } : null;
    offset += length;
  }
  return null;
};
