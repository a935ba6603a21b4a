import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { BlockList, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { canonicalise } from './target.ts';
import { problemHeaders, problemText } from './answers.ts';
import { runExchange } from './exchange.ts';
import { requestIdOf, valuesOf, type Hop } from './headers.ts';
import type { Observation, Plan, RequestHead, UpstreamOptions } from './plan.ts';
import { createUpstreams, type InstanceStatus } from './upstreams.ts';
import { createUpgrades } from './upgrade.ts';

/** Every limit of the listener, in milliseconds unless it says otherwise. */
export const LIMITS = {
  /** From the first byte of a head to its last. */
  head: 10_000,
  /** A whole request. Long, because uploads over slow lines are legitimate; a silent one is cut by `idleBody`. */
  request: 3_600_000,
  /** Without a byte in either direction while an exchange is on. */
  idleBody: 60_000,
  keepAlive: 65_000,
  /** Bytes of a head. */
  headBytes: 16_384,
  /** Open client connections; further ones are closed at once. */
  connections: 16_384,
} as const;

export interface DataPathOptions {
  readonly plan: (head: RequestHead) => Plan;
  readonly observe: (observation: Observation) => void;
  /** Networks whose X-Forwarded-* is believed. */
  readonly trust: () => readonly string[];
  readonly log: Pick<Logger, 'error' | 'warn'>;
}

export interface DataPath {
  readonly server: Server;
  setUpstreams(list: readonly UpstreamOptions[]): void;
  instances(): readonly InstanceStatus[];
  connections(): number;
  /** Finishes what is in flight; what is left after `deadline` milliseconds is cut. */
  drain(deadline: number): Promise<void>;
}

/** The traffic port: reads heads, asks for a plan, carries it out, and says what happened. Knows nothing of features or flags. */
export function createDataPath(options: DataPathOptions): DataPath {
  const upstreams = createUpstreams();
  const upgrades = createUpgrades(upstreams);
  const sockets = new Set<Duplex>();
  const isTrusted = trustCheck(options.trust);
  let isDraining = false;
  const server = createServer({
    maxHeaderSize: LIMITS.headBytes,
    headersTimeout: LIMITS.head,
    requestTimeout: LIMITS.request,
    keepAliveTimeout: LIMITS.keepAlive,
    connectionsCheckingInterval: 1000,
    requireHostHeader: true,
    noDelay: true,
  });
  server.maxConnections = LIMITS.connections;
  server.timeout = LIMITS.idleBody;

  const serve = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    if (isDraining) response.shouldKeepAlive = false;
    const started = performance.now();
    const hop = hopOf(request, isTrusted);
    const refuse = (status: number, code: string, detail: string): void => {
      response
        .writeHead(status, [...problemHeaders(status), 'Connection', 'close'])
        .end(problemText(status, code, detail));
      options.observe({
        method: request.method ?? '',
        path: '',
        route: null,
        status,
        answeredBy: null,
        own: null,
        milliseconds: performance.now() - started,
        aborted: false,
        requestId: hop.requestId,
      });
    };
    const head = readHead(request, hop);
    if ('refuse' in head) return refuse(...head.refuse);
    runExchange({
      request,
      response,
      head,
      hop,
      expectsContinue,
      started,
      plan: options.plan(head),
      upstreams,
      observe: options.observe,
    });
  };
  server.on('request', (request, response) => serve(request, response, false));
  server.on('checkContinue', (request, response) => serve(request, response, true));
  server.on('checkExpectation', (_request, response: ServerResponse) =>
    response
      .writeHead(417, [...problemHeaders(417), 'Connection', 'close'])
      .end(problemText(417, 'EXPECTATION_FAILED', 'only 100-continue can be expected')),
  );
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, rest: Buffer) => {
    const hop = hopOf(request, isTrusted);
    const head = readHead(request, hop);
    const plan = 'refuse' in head ? null : options.plan(head);
    if ('refuse' in head || plan === null || !('upstream' in plan))
      return void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    upgrades.handOver(request, socket, rest, head, hop, plan);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
    const status =
      error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
    const body = problemText(status, 'BAD_HEAD', 'the request is not well-formed HTTP/1.1');
    socket.end(
      `HTTP/1.1 ${status} Refused\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  });

  return {
    server,
    setUpstreams: upstreams.set,
    instances: upstreams.status,
    connections: () => sockets.size,
    async drain(deadline) {
      isDraining = true;
      const closed = new Promise<void>((done) => (server.listening ? server.close(() => done()) : done()));
      server.closeIdleConnections();
      const idle = setInterval(() => server.closeIdleConnections(), 100);
      const cut = setTimeout(() => sockets.forEach((socket) => socket.destroy()), deadline);
      await closed;
      clearInterval(idle);
      clearTimeout(cut);
      upstreams.close();
    },
  };
}

/** Host (RFC 9112 section 3.2): exactly one, a host and an optional port. Methods that a proxy for one site never serves are refused. */
const HOST = /^(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;

function readHead(request: IncomingMessage, hop: Hop): RequestHead | { refuse: [number, string, string] } {
  const method = request.method ?? '';
  if (method === 'TRACE' || method === 'CONNECT')
    return { refuse: [405, 'METHOD_REFUSED', `${method} is never forwarded`] };
  const hosts = valuesOf(request.rawHeaders, 'host');
  if (hosts.length !== 1 || !hosts[0] || !HOST.test(hosts[0]))
    return { refuse: [400, 'BAD_HOST', 'exactly one valid Host is needed'] };
  const canonical = canonicalise(request.url ?? '');
  if (canonical === null || (canonical.path === '*' && method !== 'OPTIONS'))
    return { refuse: [400, 'BAD_TARGET', 'the request target is not a path'] };
  if (canonical.authority !== null && canonical.authority.toLowerCase() !== hosts[0].toLowerCase())
    return { refuse: [400, 'BAD_HOST', 'the target names another authority than Host'] };
  const header = (name: string): string | undefined => {
    const values = valuesOf(request.rawHeaders, name);
    return values.length === 0 ? undefined : values.join(name === 'cookie' ? '; ' : ', ');
  };
  const client = hop.isTrusted
    ? (header('x-forwarded-for')?.split(',').at(-1)?.trim() ?? hop.peer)
    : hop.peer;
  return {
    method,
    path: canonical.path,
    query: canonical.query,
    readings: canonical.readings,
    host: hosts[0],
    client,
    secure: hop.secure,
    header,
  };
}

function hopOf(request: IncomingMessage, isTrusted: (address: string) => boolean): Hop {
  const socket = request.socket as Socket & { encrypted?: boolean };
  const peer = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const trusted = isTrusted(peer);
  const secure =
    socket.encrypted === true ||
    (trusted && valuesOf(request.rawHeaders, 'x-forwarded-proto')[0] === 'https');
  return {
    peer,
    secure,
    host: valuesOf(request.rawHeaders, 'host')[0] ?? '',
    isTrusted: trusted,
    requestId: requestIdOf(request.rawHeaders, trusted, randomUUID),
  };
}

function trustCheck(networks: () => readonly string[]): (address: string) => boolean {
  let known: readonly string[] | null = null;
  let list = new BlockList();
  return (address) => {
    const now = networks();
    if (now !== known) {
      known = now;
      list = new BlockList();
      for (const network of now) {
        const [base = '', bits] = network.split('/');
        const family = isIP(base) === 6 ? 'ipv6' : 'ipv4';
        list.addSubnet(base, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
      }
    }
    return (
      now.length > 0 && isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
    );
  };
}
