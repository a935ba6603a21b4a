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
  /** Several processes listen on the one port, and the kernel spreads connections over them. */
  readonly reusePort?: boolean;
  /** Connections that wait to be accepted. */
  readonly backlog?: number;
}

export interface Listening {
  /** With the port that was really taken. */
  readonly url: string;
  readonly port: number;
  /** Takes a new key and certificate; connections that are open keep theirs. Throws when they don't fit. */
  setTls(tls: SecureContextOptions): void;
  /** Stops accepting; open connections go on. */
  close(): void;
}

/** Opens a port for the data path. Rejects with what the system says when it can't (EADDRINUSE, EACCES …). */
export async function listen(
  address: { host: string; port: number },
  dataPath: Pick<DataPath, 'handle'>,
  options: ListenOptions = {},
): Promise<Listening> {
  const { tls, reusePort = false, backlog = 1024 } = options;
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
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen({ host: address.host, port: address.port, backlog, reusePort }, () => {
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
    close() {
      server.close();
    },
  };
}
