import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { upstreamHeaders, type Hop } from './headers.ts';
import type { RequestHead, Route } from './plan.ts';
import type { Upstreams } from './upstreams.ts';

export interface Upgrades {
  handOver(
    request: IncomingMessage,
    socket: Duplex,
    rest: Buffer,
    head: RequestHead,
    hop: Hop,
    route: Route,
  ): void;
}

/** Longest wait for the answer to a handshake, in milliseconds: http-proxy-middleware has no such limit of its own. */
const HANDSHAKE = 10_000;

/**
 * WebSocket connections, carried by http-proxy-middleware after our own checks: it gets the path that was decided on and headers that
 * are already clean. Anything but a WebSocket (`h2c`) is not an upgrade we know.
 */
export function createUpgrades(upstreams: Upstreams): Upgrades {
  const proxies = new Map<string, ReturnType<typeof createProxyMiddleware>>();
  return {
    handOver(request, socket, rest, head, hop, route) {
      const upstream = upstreams.get(route.upstream);
      if (!upstream || request.headers.upgrade?.toLowerCase() !== 'websocket')
        return void socket.end(
          'HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
        );
      const raw = upstreamHeaders(request.rawHeaders, route, hop);
      request.rawHeaders = [...raw, 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
      request.headers = Object.fromEntries(
        request.rawHeaders.flatMap((name, index): [string, string][] =>
          index % 2 === 0 ? [[name.toLowerCase(), request.rawHeaders[index + 1]!]] : [],
        ),
      );
      request.url = head.path + head.query;
      const target = upstream.url.origin;
      let proxy = proxies.get(target);
      if (!proxy) {
        proxy = createProxyMiddleware({
          target,
          ws: false,
          changeOrigin: false,
          xfwd: false,
          proxyTimeout: HANDSHAKE,
          on: { error: (_error, _request, response) => void ('destroy' in response && response.destroy()) },
        });
        proxies.set(target, proxy);
      }
      (socket as Socket).setTimeout(0);
      proxy.upgrade(request, socket as Socket, rest);
    },
  };
}
