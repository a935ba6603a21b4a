import type { IncomingMessage, ServerResponse } from 'node:http';
import { DEFAULT_LIMITS } from '../forward/limits.ts';
import { problem } from '../forward/own-answer.ts';
import { TOLD } from '../forward/refusals.ts';

/**
 * Counts the bytes of a body that the monolith itself will read, as they arrive. One too many, and the client has its 413 at once; the rest is read
 * and dropped, and the application never gets the end of the body. To it the request looks like that of a client that went away: the stream aborts
 * when the connection closes, and what is written to the answer goes nowhere. Were it told of a 413 already sent, its own error
 * handler would throw on the second answer.
 */
export function capBody(req: IncomingMessage, res: ServerResponse, maxBody: number, requestId: string): void {
  const push = req.push.bind(req);
  let count = 0;
  let refusal: Refusal | null = null;
  req.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (refusal !== null) {
      if (chunk === null) refusal.end();
      return true;
    }
    count += chunk?.length ?? 0;
    if (count <= maxBody) return push(chunk, encoding);
    refusal = refuse(req, res, requestId);
    return true;
  };
}

interface Refusal {
  /** The client has sent all it had: the connection can be closed without taking the answer along. */
  end(): void;
}

function refuse(req: IncomingMessage, res: ServerResponse, requestId: string): Refusal {
  // An answer that has begun can't be replaced: it is cut, so that nobody takes a part for the whole.
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return { end() {} };
  }
  const { status, headers, body } = problem(TOLD.bodyTooLarge);
  for (const name of res.getHeaderNames()) res.removeHeader(name);
  for (const [name, value] of headers) res.setHeader(name, value);
  res.writeHead(status, {
    'X-Request-Id': requestId,
    Connection: 'close',
    'Content-Length': Buffer.byteLength(body),
  });
  // Whole for the client, but never ended: the end would close the connection on unread bytes, and that reset would overtake the answer. It would
  // also look to the application as if all had gone well.
  res.write(body);
  const { socket } = req;
  const timer = setTimeout(() => socket.destroy(), DEFAULT_LIMITS.lingerMs);
  socket.once('close', () => clearTimeout(timer));
  silence(res);
  return { end: () => socket.destroySoon() };
}

/** What the application still does to the answer has no effect, and does not throw. */
function silence(res: ServerResponse): void {
  const itself = (): ServerResponse => res;
  const taken = (): boolean => true;
  Object.assign(res, {
    setHeader: itself,
    setHeaders: itself,
    appendHeader: itself,
    removeHeader: nothing,
    writeHead: itself,
    flushHeaders: nothing,
    write: taken,
    end: itself,
  });
  Object.defineProperty(res, 'headersSent', { value: false });
}

function nothing(): void {
  // The answer was given.
}
