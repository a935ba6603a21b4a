import { lookup } from 'node:dns/promises';
import { createServer, isIP } from 'node:net';
import * as net from 'node:net';
import { once } from 'node:events';
import { getSystemErrorName } from 'node:util';

/** A listening socket that is kept open for others and never accepted from. */
export interface HeldSocket {
  /** Its number, for children to inherit. */
  readonly fd: number;
  close(): void;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Node's handle of a bound TCP socket (node:cluster's primary holds the same). */
interface TcpHandle {
  readonly fd: number;
  getsockname(out: { port?: number }): number;
  close(): void;
}

/** UV_TCP_REUSEPORT of libuv (uv.h, enum uv_tcp_flags). */
const REUSEPORT = 2;

/**
 * Binds the traffic port without accepting from it: workers inherit the socket and accept from its one queue. It is this process that keeps the queue
 * alive, so no worker's end resets who waits in it. node:net has no public way to bind and not to accept; this is what node:cluster uses
 * (decisions/005). Throws as listen does (EADDRINUSE, EACCES …).
 */
export async function holdSocket({ host, port }: Address): Promise<HeldSocket> {
  const { address, family } = isIP(host) ? { address: host, family: isIP(host) } : await lookup(host);
  const create = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle;
  const flags = process.platform === 'linux' ? REUSEPORT : 0;
  const handle = create(address, port, family, undefined, flags);
  // A port that is taken shows only when the address is asked for.
  const fault = typeof handle === 'number' ? handle : handle.getsockname({});
  if (typeof handle === 'number' || fault !== 0) {
    const code = getSystemErrorName(fault);
    throw Object.assign(new Error(`listen ${code}: ${host}:${port}`), { code });
  }
  return { fd: handle.fd, close: () => handle.close() };
}

type CreateServerHandle = (
  address: string,
  port: number,
  family: number,
  fd: undefined,
  flags: number,
) => TcpHandle | number;

/** Throws EADDRINUSE when anybody listens on the port, also who would share it: it is not ours to share. */
export async function portMustBeFree({ host, port }: Address): Promise<void> {
  const probe = createServer().listen({ host, port });
  await once(probe, 'listening');
  probe.close();
  await once(probe, 'close');
}
