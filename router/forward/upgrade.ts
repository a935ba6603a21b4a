import { createServer, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { createProxyMiddleware, type RequestHandler } from 'http-proxy-middleware';
import { SCRATCH, writeRequestHead } from '../http/outgoing.ts';
import type { Instance } from '../instances/instance.ts';
import type { Gateway } from './gateway.ts';
import { Outcome } from './outcome.ts';
import { problem, writeOwn } from './own-answer.ts';
import { TOLD, TOLD_OF_FAILURE, type Told } from './refusals.ts';
import type { Forwarding } from './request.ts';
import type { FailureKind } from './retry.ts';
import type { Upstream } from './upstream.ts';

/** Where upgraded connections go. */
export interface UpgradeLane {
  /** Takes a client's connection over; `rest` is what it has already sent behind its handshake. */
  take(socket: Socket, forwarding: Forwarding, rest: Buffer | null): void;
  /** Connections being upgraded, or open. */
  count(): number;
  /** Ends them all. */
  close(): void;
}

interface Open {
  readonly forwarding: Forwarding;
  readonly upstream: Upstream;
  readonly instance: Instance;
  readonly outcome: Outcome;
  isOver: boolean;
}

/**
 * WebSockets leave the lane: http-proxy-middleware carries them. What it gets is our own outgoing head, put back on the socket in place of the
 * client's and read by a Node server that listens nowhere, so it sees the canonical path and the cleaned headers, and nothing it does wrong with
 * others can happen. The instance is chosen, counted and blamed as for any request. The handshake is reported when it is answered: what follows
 * may last for days.
 */
export function createUpgradeLane(gateway: Gateway): UpgradeLane {
  const open = new Map<Socket, Open>();
  const proxies = new Map<string, RequestHandler>();
  const server = createServer({ insecureHTTPParser: false, maxHeaderSize: 64 * 1024 }, (_request, response) =>
    response.destroy(),
  );
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const it = open.get(socket);
    if (!it) return void socket.destroy();
    return proxyTo(it.instance.url, it.upstream.options.timeouts.response).upgrade(request, socket, head);
  });
  // What is put back was written by ourselves, so this says that the socket broke.
  server.on('clientError', (_error, socket) => socket.destroy());

  function proxyTo(url: string, upgradeTimeout: number): RequestHandler {
    const key = `${url} ${upgradeTimeout}`;
    let proxy = proxies.get(key);
    if (!proxy)
      proxies.set(
        key,
        (proxy = createProxyMiddleware({
          target: url,
          xfwd: false,
          upgradeTimeout,
          ejectPlugins: true,
          plugins: [watch],
          logger: SILENT,
        })),
      );
    return proxy;
  }

  function watch(proxy: { on(event: string, listener: (...args: never[]) => void): unknown }): void {
    proxy.on('proxyReqWs', (outgoing: ClientRequest, _request: IncomingMessage, socket: Socket) => {
      outgoing.once('response', (answer) => settle(socket, answer.statusCode ?? 0, null));
      outgoing.once('upgrade', (_answer, upstreamSocket: Socket) => {
        settle(socket, 101, null);
        // A pipe does not pass on that one end was destroyed.
        upstreamSocket.once('close', () => socket.destroy());
        socket.once('close', () => upstreamSocket.destroy());
        if (socket.destroyed) upstreamSocket.destroy();
      });
      socket.once('close', () => outgoing.destroy());
    });
    proxy.on('error', (error: NodeJS.ErrnoException, _request: IncomingMessage, socket: Socket) => {
      const kind =
        error.code === 'ERR_UPSTREAM_UPGRADE_TIMEOUT'
          ? 'timeout'
          : error.syscall === 'connect'
            ? 'connect'
            : 'reset';
      const it = open.get(socket);
      if (it && !it.isOver && socket.writable) refuse(socket, it.forwarding, TOLD_OF_FAILURE[kind]);
      settle(socket, TOLD_OF_FAILURE[kind].status, kind);
    });
  }

  /** The handshake is over, one way or another; status 0: the client went away. */
  function settle(socket: Socket, status: number, failure: FailureKind | null): void {
    const it = open.get(socket);
    if (!it || it.isOver) return;
    it.isOver = true;
    const isAnswered = failure === null && status !== 0;
    it.upstream.inFlight--;
    it.instance.end(failure !== null ? 'failure' : isAnswered ? 'success' : null, gateway.now());
    if (isAnswered || failure !== null) it.outcome.upstreamDid(isAnswered ? status : 0, failure);
    it.outcome.status = status;
    it.outcome.report(isAnswered, status === 0);
  }

  function refuse(socket: Socket, { ids }: Forwarding, told: Told): void {
    writeOwn(socket, problem(told), { minor: 1, isHead: false, requestId: ids.requestId }, true);
    socket.end();
  }

  return {
    take(socket, forwarding, rest) {
      const { route, head, target, view, ids, startedAt } = forwarding;
      const upstream = gateway.upstream(route.upstream);
      const now = gateway.now();
      const isFull = upstream !== undefined && upstream.inFlight >= upstream.options.maxInFlight;
      const instance = isFull ? null : (upstream?.choose(now, []) ?? null);
      const outcome = new Outcome(gateway, view, route, ids.requestId, startedAt);
      socket.on('error', () => socket.destroy());
      if (!upstream || instance === null) {
        const told = isFull ? TOLD.overloaded : upstream ? TOLD_OF_FAILURE.open : TOLD.noUpstream;
        if (told === TOLD_OF_FAILURE.open) outcome.upstreamDid(0, 'open');
        outcome.status = told.status;
        outcome.report(false, false);
        return refuse(socket, forwarding, told);
      }
      upstream.inFlight++;
      instance.begin(now);
      open.set(socket, { forwarding, upstream, instance, outcome, isOver: false });
      socket.once('close', () => {
        settle(socket, 0, null);
        open.delete(socket);
      });
      const length = writeRequestHead(head, target, forwarding, route, instance.authority);
      const clean = Buffer.from(SCRATCH.subarray(0, length));
      socket.pause();
      socket.unshift(rest === null ? clean : Buffer.concat([clean, rest]));
      server.emit('connection', socket);
      socket.resume();
    },
    count: () => open.size,
    close() {
      for (const socket of open.keys()) socket.destroy();
    },
  };
}

const nothing = (): void => {
  // Failures are reported where they are counted.
};
const SILENT = { info: nothing, warn: nothing, error: nothing };
