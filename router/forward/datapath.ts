import { tmpdir } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Socket } from 'node:net';
import { createIds, type Randomness } from '../http/ids.ts';
import { networks, plainAddress } from '../http/forwarded.ts';
import { DEFAULT_BREAKER, type BreakerOptions } from '../instances/breaker.ts';
import { ClientConnection } from './client.ts';
import type { Gateway, GatewayLog } from './gateway.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { problem, writeOwn } from './own-answer.ts';
import type { Observation, Plan, RequestHead, UpstreamOptions } from './plan.ts';
import { TOLD } from './refusals.ts';
import { createUpgradeLane } from './upgrade.ts';
import { Upstream, type UpstreamStatus } from './upstream.ts';

export interface DataPathOptions {
  /** Decides; called once a request, synchronously. */
  readonly plan: (head: RequestHead) => Plan;
  /** Told once a request what became of it. */
  readonly observe: (observation: Observation) => void;
  /** Networks of proxies whose X-Forwarded-* are believed; read again when the list is another one. */
  readonly trust?: () => readonly string[];
  readonly log: GatewayLog;
  readonly limits?: Partial<Limits>;
  readonly breaker?: Partial<BreakerOptions>;
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number;
  /** In [0, 1): for choosing instances. */
  readonly random?: () => number;
  /** Folder for bodies that may have to be sent again; default: the system's temporary one. It must be there. */
  readonly spoolFolder?: string;
  /** For request ids. */
  readonly randomBytes?: Randomness;
}

export interface DataPath {
  /** Serves one connection, plain or TLS, from its first byte. */
  handle(socket: Socket): void;
  /** Swaps the table of upstreams; those that stay keep their connections and breakers. */
  setUpstreams(list: readonly UpstreamOptions[]): void;
  instances(): readonly UpstreamStatus[];
  connections(): number;
  /** Origins of an upstream's instances that may be asked now. */
  urls(upstream: string): readonly string[];
  /** Answers what comes with Connection: close, finishes what is under way, ends every connection. Resolves within `deadline` milliseconds. */
  drain(deadline: number): Promise<void>;
  /** Ends everything at once. */
  close(): void;
}

/** How often deadlines are looked at, in milliseconds. One timer for all connections: a timer a request would cost more than the request. */
const SWEEP = 100;

/** The data path: from a client's bytes to an upstream's and back. It opens no port; listener.ts does. */
export function createDataPath(options: DataPathOptions): DataPath {
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
  const breaker: BreakerOptions = { ...DEFAULT_BREAKER, ...options.breaker };
  const now = options.now ?? (() => performance.now());
  const upstreams = new Map<string, Upstream>();
  const retired = new Set<Upstream>();
  const clients = new Set<ClientConnection>();
  let coarse = now();
  let isDraining = false;
  let trustList: readonly string[] = [];
  let isTrusted = networks(trustList);

  const gateway: Gateway = {
    limits,
    now,
    coarseNow: () => coarse,
    plan: options.plan,
    observe(observation) {
      try {
        options.observe(observation);
      } catch (error) {
        options.log.error({ err: error }, 'an observer failed');
      }
    },
    upstream: (name) => upstreams.get(name),
    isTrusted: (address) => isTrusted(address),
    isDraining: () => isDraining,
    newId: createIds(options.randomBytes),
    spoolFolder: options.spoolFolder ?? tmpdir(),
    get upgrades() {
      return upgrades;
    },
    log: options.log,
  };
  const upgrades = createUpgradeLane(gateway);
  const upstreamLimits = { idleSockets: limits.idleSockets, breaker, random: options.random ?? Math.random };

  const forget = (client: ClientConnection): void => void clients.delete(client);
  const sweep = setInterval(() => {
    coarse = now();
    for (const client of clients) client.tick(coarse);
    for (const upstream of upstreams.values()) upstream.sweep(coarse);
    for (const upstream of retired) if (upstream.inFlight === 0) retired.delete(upstream);
  }, SWEEP);
  sweep.unref();

  function refreshTrust(): void {
    const list = options.trust?.() ?? [];
    if (list === trustList) return;
    trustList = list;
    isTrusted = networks(list);
  }

  function close(): void {
    clearInterval(sweep);
    for (const client of clients) client.socket.destroy();
    upgrades.close();
    for (const upstream of upstreams.values()) upstream.close();
    upstreams.clear();
  }

  return {
    handle(socket) {
      if (clients.size + upgrades.count() >= limits.connections) return turnAway(socket, gateway);
      refreshTrust();
      const address = plainAddress(socket.remoteAddress);
      clients.add(
        new ClientConnection(
          gateway,
          socket,
          { address, isTrusted: isTrusted(address), isSecure: 'encrypted' in socket },
          forget,
        ),
      );
    },
    setUpstreams(list) {
      for (const [name, upstream] of upstreams) {
        if (list.some((entry) => entry.name === name)) continue;
        upstreams.delete(name);
        upstream.close();
      }
      for (const entry of list) {
        const known = upstreams.get(entry.name);
        if (known) known.configure(entry);
        else upstreams.set(entry.name, new Upstream(entry, upstreamLimits));
      }
    },
    instances: () => [...upstreams.values()].map((upstream) => upstream.status()),
    connections: () => clients.size + upgrades.count(),
    urls: (name) => upstreams.get(name)?.urls(now()) ?? [],
    async drain(deadline) {
      isDraining = true;
      const started = now();
      const grace = started + Math.min(limits.drainGraceMs, deadline / 2);
      while (clients.size > 0 && now() - started < deadline) {
        if (now() >= grace) for (const client of clients) client.closeIdle();
        await new Promise((done) => setTimeout(done, 10));
      }
      close();
    },
    close,
  };
}

/** One connection too many: it is told so at once, and nothing it sends is looked at. */
function turnAway(socket: Socket, gateway: Gateway): void {
  socket.on('error', () => socket.destroy());
  writeOwn(socket, problem(TOLD.tooMany), { minor: 1, isHead: false, requestId: gateway.newId(16) }, true);
  socket.end();
  socket.resume();
  setTimeout(() => socket.destroy(), 1000).unref();
}
