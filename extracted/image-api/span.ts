import parse from 'range-parser';
import { Problem } from './problem.ts';
import type { Span } from './original.ts';

/**
 * The part of a representation that a request asks for (RFC 9110, 14.2); undefined: all of it. `etag`: a strong one. What is malformed, of another unit,
 * or more than one range is answered whole, as the RFC allows. Throws 416 with the size when none of the bytes asked for exist.
 */
export function spanOf(
  { method, range, ifRange }: { method: string; range?: string | undefined; ifRange?: string | undefined },
  size: number,
  etag: string,
): Span | undefined {
  // Ranges are defined for GET alone, and HEAD tells what a GET without one would answer.
  if (method !== 'GET' || range === undefined) return undefined;
  // Who has a part of something else shall not put the two together. A weak tag does not say that bytes are equal, and dates are not sent.
  if (ifRange !== undefined && ifRange !== etag) return undefined;
  const [, suffix, first, last] = /^bytes=\s*(?:-(\d+)|(\d+)-(\d*))\s*$/i.exec(range) ?? [];
  if (suffix === undefined && first === undefined) return undefined;
  if (last && Number(last) < Number(first)) return undefined;
  // The parser finds the last 500 bytes of 300 unsatisfiable; by the RFC they are all 300.
  const asked = suffix === undefined ? `bytes=${first}-${last}` : `bytes=-${Math.min(Number(suffix), size)}`;
  const found = parse(size, asked);
  if (found === -2) return undefined;
  const [span] = found === -1 ? [] : found;
  if (!span)
    throw new Problem(416, `the picture has ${size} bytes, none of them in ${range}`, {
      'content-range': `bytes */${size}`,
    });
  return { start: span.start, end: span.end };
}
