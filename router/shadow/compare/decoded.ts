import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { header, type Answer } from './answer.ts';

const DECODERS: Record<string, (body: Uint8Array, options: { maxOutputLength: number }) => Uint8Array> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

/** A body without its content codings (RFC 9110 section 8.4.1); null when one is unknown, broken, or the result is over `maxBytes`. */
export function decoded(answer: Answer, maxBytes: number): Uint8Array | null {
  const codings = (header(answer, 'content-encoding') ?? '')
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  let { body } = answer;
  if (codings.length > 3) return null;
  for (const coding of codings.toReversed()) {
    const decoder = Object.hasOwn(DECODERS, coding) ? DECODERS[coding]! : null;
    if (decoder === null) return null;
    if (body.length === 0) return body;
    try {
      body = decoder(body, { maxOutputLength: maxBytes });
    } catch {
      return null;
    }
  }
  return body;
}
