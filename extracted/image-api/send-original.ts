import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { departure } from './departure.ts';
import type { Original } from './original.ts';
import { spanOf } from './span.ts';

/**
 * Answers with a stored picture as it is, or with the part of it that is asked for. `size`: its bytes. Its other headers, a strong ETag among them, are set; what the
 * client has already was told apart before. Rejects before a byte is sent when there are none, and when the bytes break off later, which also
 * ends the connection: nobody takes a part for the whole.
 */
export async function sendOriginal(
  request: Pick<Request, 'method' | 'get'>,
  response: Response,
  original: Original,
  size: number,
): Promise<void> {
  response.set('accept-ranges', 'bytes');
  const { method } = request;
  const asked = { method, range: request.get('range'), ifRange: request.get('if-range') };
  const span = spanOf(asked, size, String(response.get('etag')));
  // HEAD too says whether there are any bytes, for the price of one.
  const wanted = method === 'HEAD' ? { start: 0, end: 0 } : span;
  const bytes = await original.read(wanted, departure(response));
  if (response.destroyed) return void bytes.destroy();
  const length = span ? span.end - span.start + 1 : size;
  response.set('content-length', String(length));
  if (method === 'HEAD') {
    bytes.on('error', () => undefined).resume();
    response.end();
    return;
  }
  if (span) response.status(206).set('content-range', `bytes ${span.start}-${span.end}/${size}`);
  await pipeline(bytes, exactly(length), response).catch((error: unknown) => {
    // Who went away in the middle made no error.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}

/** Passes bytes on, and fails when they are not as many as the head has promised: too few would leave the client waiting, too many be taken for the next answer. */
function exactly(length: number) {
  return async function* (bytes: Readable): AsyncGenerator<Buffer> {
    let left = length;
    for await (const chunk of bytes as AsyncIterable<Buffer>) {
      left -= chunk.length;
      if (left < 0) break;
      yield chunk;
    }
    if (left !== 0) throw new Error(`the picture does not have the ${length} bytes that its row says`);
  };
}
