import type { BytesOf } from './bytes-of.ts';

/** Scans of a JPEG. Encoders write a dozen; each costs a walk over all of the picture, and can be written in a few bytes. */
export const MOST_SCANS = 100;

/** Second byte of a marker (ITU-T T.81, table B.1). */
const EOI = 0xd9;
const SOS = 0xda;
/** What comes without a length: a stuffed zero, TEM, restarts and the start of an image; a 0xff is a fill byte. */
const isBare = (marker: number): boolean =>
  marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8) || marker === 0xff;

/**
 * Whether a JPEG has more scans than any needs. A decoder reads all of them before it makes the first line, and looks at no clock meanwhile: a few megabytes
 * would keep it busy for hours. Goes from marker to marker as decoders do, whatever lies between them.
 */
export function hasTooManyScans(bytes: BytesOf): boolean {
  let scans = 0;
  for (let offset = 0; offset + 1 < bytes.size;) {
    const chunk = bytes.at(offset, 131_072);
    let at = chunk.indexOf(0xff);
    while (at !== -1 && at + 1 < chunk.length && isBare(chunk[at + 1]!)) at = chunk.indexOf(0xff, at + 1);
    if (at === -1 || at + 1 === chunk.length) {
      // The last byte may be the first of a marker.
      offset += at === -1 ? chunk.length : at;
      continue;
    }
    const marker = chunk[at + 1]!;
    if (marker === EOI) return false;
    if (marker === SOS && ++scans > MOST_SCANS) return true;
    const length = bytes.at(offset + at + 2, 2);
    offset += at + 2 + (length.length === 2 ? length.readUInt16BE() : 0);
  }
  return false;
}
