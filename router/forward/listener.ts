import { createServer as createPlainServer, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
} from 'node:tls';
import type { DataPath } from './datapath.ts';

export interface ListenOptions {
  /** PEM key and certificate: the port speaks TLS. */
  readonly tls?: SecureContextOptions;
  /** Other processes may open the same port (SO_REUSEPORT), and the kernel spreads connections over all: workers, and the next router while this one drains. */
  readonly reusePort?: boolean;
  /** A listening socket that this process was given, by its number; instead of opening one. */
  readonly fd?: number;
  /** Connections that wait to be accepted. */
  readonly backlog?: number;
}

export interface Listening {
  /** With the port that was really taken. */
  readonly url: string;
  readonly port: number;
  /** Takes a new key and certificate; connections that are open keep theirs. Throws when they don't fit. */
  setTls(tls: SecureContextOptions): void;
  /** Stops accepting once nobody waits to be accepted; open connections go on. */
  close(): Promise<void>;
}

/** Longest wait for a moment to close in, in milliseconds. */
const CLOSING = 1000;
/** A turn of the event loop that took longer than this (milliseconds) may have left somebody waiting. */
const SHORT_TURN = 0.3;

/** Opens a port for the data path. Rejects with what the system says when it can't (EADDRINUSE, EACCES …). */
export async function listen(
  address: { host: string; port: number },
  dataPath: Pick<DataPath, 'handle'>,
  options: ListenOptions = {},
): Promise<Listening> {
  const { tls, reusePort = false, backlog = 1024, fd } = options;
  let accepted = 0;
  const handle = (socket: Socket): void => dataPath.handle(socket);
  const server: Server | TlsServer = tls
    ? createTlsServer(
        {
          ...tls,
          ALPNProtocols: ['http/1.1'],
          minVersion: 'TLSv1.2',
          handshakeTimeout: 10_000,
          noDelay: true,
        },
        handle,
      )
    : createPlainServer({ noDelay: true, pauseOnConnect: true }, handle);
  // A handshake that fails is the client's affair.
  server.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());
  server.on('connection', () => void accepted++);
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    const where = fd === undefined ? { host: address.host, port: address.port, reusePort } : { fd };
    server.listen({ ...where, backlog }, () => {
      server.removeListener('error', fail);
      done();
    });
  });
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return {
    url: `${tls ? 'https' : 'http'}://${host}:${port}`,
    port,
    setTls(next) {
      if (!('setSecureContext' in server))
        throw new Error('this port does not speak TLS; restart to change that');
      server.setSecureContext(next);
    },
    async close() {
      if (!server.listening) return;
      await quietTurn(() => accepted);
      server.close();
    },
  };
}

/**
 * Waits for a turn of the event loop in which nothing was accepted and nothing else took long. The kernel resets what waits to be accepted when a
 * listening socket is closed; right behind such a turn that is nobody, but for who comes in these microseconds.
 */
async function quietTurn(accepted: () => number): Promise<void> {
  const end = performance.now() + CLOSING;
  for (;;) {
    const [before, from] = [accepted(), performance.now()];
    await new Promise((turned) => setImmediate(turned));
    const now = performance.now();
    if ((accepted() === before && now - from < SHORT_TURN) || now > end) return;
  }
}
