import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';

/** Ends the server: nothing new is taken, what is in flight is finished; after `deadline` milliseconds what is left is cut off. */
export type Drain = (deadline: number) => Promise<void>;

/**
 * Follows the requests of a server, so that it can end without breaking one. Register before the application: the last answer on each connection
 * says so, and a client with more to ask goes to another process instead of into a closing connection.
 */
export function followRequests(server: Server): Drain {
  const inFlight = new Set<ServerResponse>();
  let isDraining = false;
  server.on('request', (_request, response) => {
    inFlight.add(response);
    response.on('close', () => inFlight.delete(response));
    if (isDraining) response.setHeader('connection', 'close');
  });
  return async (deadline) => {
    isDraining = true;
    for (const response of inFlight) if (!response.headersSent) response.setHeader('connection', 'close');
    const cut = setTimeout(() => server.closeAllConnections(), deadline);
    // An answer that had begun before could not say so; its connection is idle when it is over.
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    try {
      await once(server.close(), 'close');
    } finally {
      clearTimeout(cut);
      clearInterval(idle);
    }
  };
}
