import { once } from 'node:events';
import type { ErrorRequestHandler, Request } from 'express';

/**
 * Lets a refused body run out before the refusal, where the connection ends with it: closing a socket with unread bytes resets it, and the reset may
 * throw the answer away (RFC 9112 §9.6). Where the connection goes on, the refusal goes out at once. `most`: milliseconds to wait.
 */
export function linger(most = 2000): ErrorRequestHandler {
  return async (error: unknown, request, response, next) => {
    if (!response.shouldKeepAlive && !request.complete) await readAway(request, most);
    next(error);
  };
}

async function readAway(request: Request, most: number): Promise<void> {
  request.resume();
  const signal = AbortSignal.timeout(most);
  const over = (event: string): Promise<unknown> => once(request, event, { signal });
  // Late, or broken off: either way there is no more to wait for.
  await Promise.race([over('end'), over('close')]).catch(() => undefined);
}
