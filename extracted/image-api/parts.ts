import type { BytesOf } from './bytes-of.ts';
import type { JpegMarks } from './jpeg-marks.ts';
import type { Span } from './original.ts';
import type { Header } from './weight.ts';

/** What is kept of a file, in order: spans of it, and bytes in place of others. */
export type Parts = readonly (Span | Buffer)[];

export interface Walked {
  readonly parts: Parts;
  /**
   * What has to be decoded to know that all decodes: everything; everything while it is made small, where the decoder does that as it goes and needs a fraction of the
   * memory; or only the beginning, where a decoder that has begun does not refuse the rest.
   */
  readonly proof: 'all' | 'shrunk' | 'beginning';
  /**
   * What a decoder would say of the file, if the parts are all of it: of a picture that is upright, in sRGB or grey, of no more than 8 bits, alone. Null or missing: the
   * decoder has to be asked.
   */
  readonly header?: Header | null;
}

/**
 * Walks over the container of one kind and says which parts are pixels and what is needed to decode them. Null for what has to be encoded anew. Throws
 * 422 where the file ends before the picture does. Of pixels nothing is known here: whether they decode is the decoder's to say. `marks`: of a JPEG, if they were looked
 * for as it came.
 */
export type Walk = (bytes: BytesOf, marks?: JpegMarks) => Walked | null;

/** Segments of a container that are looked at. More is no photograph's; the decoder may see what it makes of it. */
export const MOST_SEGMENTS = 10_000;

/** Parts as they come in, neighbours joined. */
export class Kept {
  readonly parts: (Span | Buffer)[] = [];
  keep(start: number, length: number): void {
    const last = this.parts.at(-1);
    if (last && !Buffer.isBuffer(last) && last.end + 1 === start)
      this.parts[this.parts.length - 1] = { start: last.start, end: start + length - 1 };
    else this.parts.push({ start, end: start + length - 1 });
  }
  put(bytes: Buffer): void {
    this.parts.push(bytes);
  }
}

/** Whether that is all of the file. */
export function isWhole(parts: Parts, size: number): boolean {
  const [only, ...others] = parts;
  return (
    others.length === 0 &&
    only !== undefined &&
    !Buffer.isBuffer(only) &&
    only.start === 0 &&
    only.end === size - 1
  );
}
