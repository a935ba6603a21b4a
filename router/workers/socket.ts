import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import * as net from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { Address } from './protocol.ts';

/** A listening socket that is kept open for others and never accepted from. */
export interface HeldSocket {
  /** Its number, for children to inherit. */
  readonly fd: number;
  close(): void;
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
 * Binds the traffic port without accepting from it: a worker inherits the socket and accepts from its queue. It is this process that keeps the queue alive,
 * so no worker's end resets who waits in it; the next worker that inherits it goes on there. Each worker has a socket of its own (SO_REUSEPORT), and the kernel
 * spreads connections evenly over them; where it can't, a second one is refused and all share the first. node:net has no public way to bind and not to accept; this is
 * what node:cluster uses (decisions/007). Throws as listen does (EADDRINUSE, EACCES …).
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
