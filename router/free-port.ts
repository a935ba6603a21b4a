import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/**
 * The port to listen on: the one that is asked for, or for 0 one that is free. Throws EADDRINUSE when anybody listens there, also who would share it (SO_REUSEPORT):
 * that is not ours to share.
 */
export async function freePort({ host, port }: { host: string; port: number }): Promise<number> {
  const probe = createServer().listen({ host, port });
  await once(probe, 'listening');
  const { port: bound } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return bound;
}
