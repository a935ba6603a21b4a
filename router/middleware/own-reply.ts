import type { IncomingMessage, ServerResponse } from 'node:http';
import { DEFAULT_LIMITS } from '../forward/limits.ts';
import { problem, type OwnAnswer } from '../forward/own-answer.ts';
import type { Told } from '../forward/refusals.ts';

/** Answers with an error as the router words it (RFC 9457). */
export function tell(
  req: IncomingMessage,
  res: ServerResponse,
  told: Told,
  requestId: string,
  more: readonly (readonly [string, string])[] = [],
): void {
  reply(req, res, problem(told, more), requestId);
}

/** Sends an answer of our own, and takes care of what the client has not sent yet. */
export function reply(req: IncomingMessage, res: ServerResponse, answer: OwnAnswer, requestId: string): void {
  const { status, headers, body } = answer;
  if (res.destroyed || res.headersSent) return;
  for (const [name, value] of headers) res.appendHeader(name, value);
  res.setHeader('X-Request-Id', requestId);
  if (status !== 204 && status !== 304) res.setHeader('Content-Length', Buffer.byteLength(body));
  res.writeHead(status).end(body);
  linger(req);
}

/**
 * Reads and drops the rest of a body that nobody wants. Its client gets its answer at once, without the reset that closing on unread bytes
 * would make, and may go on with another request; when the rest does not end soon, the connection does.
 */
export function linger(req: IncomingMessage): void {
  if (req.readableEnded) return;
  req.resume();
  if (req.complete) return;
  const { socket } = req;
  const timer = setTimeout(() => socket.destroy(), DEFAULT_LIMITS.lingerMs);
  const clear = (): void => {
    clearTimeout(timer);
    socket.off('close', clear);
  };
  req.once('end', clear);
  socket.once('close', clear);
}
