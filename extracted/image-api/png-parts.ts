import { Kept, MOST_SEGMENTS, type Walk } from './parts.ts';
import { damaged } from './problem.ts';
import type { Header } from './weight.ts';

/** Chunks that pixels are decoded with (PNG, 3rd edition, §11.2 and tRNS); an animation's further frames are none of them. */
const NEEDED = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);

/** Of a PNG: its pixels, palette, transparency and resolution (nine bytes, with no room for more), up to IEND. Texts, times, colour hints and frames of an animation are left out. */
export const pngParts: Walk = (bytes) => {
  const kept = new Kept();
  kept.keep(0, 8);
  const header = firstChunk(bytes.at(8, 25));
  let offset = 8;
  for (let count = 0; count < MOST_SEGMENTS; count++) {
    const head = bytes.at(offset, 8);
    if (head.length < 8) throw damaged();
    const type = head.toString('latin1', 4, 8);
    // Length, type and checksum are not counted in the length.
    const length = 12 + head.readUInt32BE(0);
    if (offset + length > bytes.size) throw damaged();
    if (NEEDED.has(type) || (type === 'pHYs' && length === 21)) kept.keep(offset, length);
    // Colours of its own need converting; a chunk that must be understood and is not is for the decoder to judge.
    else if (type === 'iCCP' || type === 'cICP' || (head[4]! & 0x20) === 0) return null;
    if (type === 'IEND') return length === 12 ? { parts: kept.parts, proof: 'all', header } : null;
    offset += length;
  }
  return null;
};

/** Samples of a pixel by colour type; a palette's are as many as it has. */
const CHANNELS = { 0: 1, 2: 3, 4: 2, 6: 4 } as const;

/** What the first chunk says (PNG, 3rd edition, §11.2.1); null for another chunk, for 16 bits, and for what is no picture. */
function firstChunk(chunk: Buffer): Header | null {
  if (chunk.length < 25 || chunk.toString('latin1', 4, 8) !== 'IHDR') return null;
  const [width, height] = [chunk.readUInt32BE(8), chunk.readUInt32BE(12)];
  const [depth, colour, , , interlace] = chunk.subarray(16, 21) as unknown as [number, number, 0, 0, number];
  if (width === 0 || height === 0 || depth > 8) return null;
  const channels = CHANNELS[colour as keyof typeof CHANNELS];
  return { width, height, format: 'png', channels, depth: 'uchar', isProgressive: interlace === 1 };
}
