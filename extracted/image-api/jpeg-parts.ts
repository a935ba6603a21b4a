import type { BytesOf } from './bytes-of.ts';
import { ends } from './jpeg-marks.ts';
import { Kept, MOST_SEGMENTS, type Walk } from './parts.ts';
import { damaged } from './problem.ts';
import type { Header } from './weight.ts';

/** Second byte of a marker (ITU-T T.81, table B.1). */
const SOF0 = 0xc0;
const SOF1 = 0xc1;
const SOF2 = 0xc2;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const APP0 = 0xe0;
const APP14 = 0xee;
/** Tables and frame heads that pixels are decoded with: Huffman and quantisation tables, restart interval, baseline, extended and progressive frames. */
const NEEDED = new Set([0xc4, 0xdb, 0xdd, 0xc0, 0xc1, 0xc2]);
/** Applications' segments and comments: places, cameras, thumbnails, whatever a program cared to leave. */
const isDropped = (marker: number): boolean => (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe;

/** JFIF 1.1 without a thumbnail: that it is there says that colours are YCbCr. */
const JFIF = Buffer.from('ffe000104a46494600010100000100010000', 'hex');

/**
 * Of a JPEG: tables, frames and scans up to the first end of image. Of the applications' segments only the two that say how colours are coded (JFIF,
 * Adobe), and these only in the form that has room for nothing else.
 *
 * All colours in one sequential scan: there libjpeg, once it has begun, fills in what it can not read and goes on, so its beginning proves the rest (decisions/016
 * has how that was tried).
 */
export const jpegParts: Walk = (bytes, marks) => {
  const kept = new Kept();
  kept.keep(0, 2);
  let hasJfif = false;
  let hasScan = false;
  /** Components of a sequential frame; 0: another frame. */
  let components = 0;
  /** What every scan so far was: all components of a sequential frame, and the first scan. */
  let isOneScan = false;
  /** Undefined before there is a frame, null when there are two: which one counts is for the decoder to say. */
  let header: Header | null | undefined;
  let offset = 2;
  for (let count = 0; count < MOST_SEGMENTS; count++) {
    const head = bytes.at(offset, 18);
    if (head.length < 2) throw damaged();
    // What is between segments is no picture's; a decoder would look for the next marker.
    if (head[0] !== 0xff) return null;
    const marker = head[1]!;
    if (marker === 0xff) {
      offset += 1;
      continue;
    }
    if (marker === EOI) {
      kept.keep(offset, 2);
      if (!hasScan) return null;
      return { parts: kept.parts, proof: isOneScan ? 'beginning' : 'all', header: header ?? null };
    }
    if (head.length < 4) throw damaged();
    const length = 2 + head.readUInt16BE(2);
    if (length < 4 || marker === SOI) return null;
    if (offset + length > bytes.size) throw damaged();
    if (marker === SOF0 || marker === SOF1) components = head[9]!;
    if (marker >= SOF0 && marker <= SOF2) header = header === undefined ? frameOf(head) : null;
    if (marker === SOS) {
      isOneScan = !hasScan && components > 0 && head[4] === components;
      hasScan = true;
      const end = marks?.from(offset + length) ?? scanEnd(bytes, offset + length);
      kept.keep(offset, end - offset);
      offset = end;
      continue;
    }
    if (NEEDED.has(marker)) kept.keep(offset, length);
    else if (!isDropped(marker)) return null;
    // Decoders heed none that is shorter.
    else if (
      !hasScan &&
      marker === APP0 &&
      !hasJfif &&
      length >= 18 &&
      head.toString('latin1', 4, 9) === 'JFIF\0'
    ) {
      hasJfif = true;
      // Two sides of a thumbnail that is not there.
      if (length === 18 && head.readUInt16BE(16) === 0) kept.keep(offset, length);
      else kept.put(JFIF);
    } else if (!hasScan && marker === APP14 && length >= 16 && head.toString('latin1', 4, 9) === 'Adobe') {
      // A longer one has room for more, but without it the colours would be others.
      if (length > 16) return null;
      kept.keep(offset, length);
    }
    offset += length;
  }
  return null;
};

/** What the head of a frame says (T.81, B.2.2); null for what is neither grey nor in three colours, or not of 8 bits, or says that its height comes later. */
function frameOf(head: Buffer): Header | null {
  const [precision, height, width, channels] = [head[4], head.readUInt16BE(5), head.readUInt16BE(7), head[9]];
  if (precision !== 8 || height === 0 || width === 0 || (channels !== 1 && channels !== 3)) return null;
  return { width, height, format: 'jpeg', channels, depth: 'uchar', isProgressive: head[1] === SOF2 };
}

/** Where coded data ends, read from the file. */
function scanEnd(bytes: BytesOf, start: number): number {
  for (let offset = start; ;) {
    const chunk = bytes.at(offset, 131_072);
    // A marker is two bytes; the last one may be its first.
    if (chunk.length < 2) throw damaged();
    let at = chunk.indexOf(0xff);
    for (; at !== -1 && at + 1 < chunk.length; at = chunk.indexOf(0xff, at + 1))
      if (ends(chunk[at + 1]!)) return offset + at;
    offset += at === -1 ? chunk.length : at;
    if (at !== -1 && offset + 1 >= bytes.size) throw damaged();
  }
}
