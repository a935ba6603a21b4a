import type { AddressInfo } from 'node:net';
import type { DataPath } from './datapath.ts';

export interface Listening {
  readonly url: string;
  /** Takes no new connections; those that are open go on. */
  close(): void;
}

/** Opens the traffic port. Rejects with the error of listen, which names address and port. */
export async function listen(
  { host, port }: { readonly host: string; readonly port: number },
  { server }: DataPath,
): Promise<Listening> {
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen({ host, port, backlog: 1024 }, done);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () => void server.close(),
  };
}
