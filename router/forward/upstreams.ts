import http from 'node:http';
import https from 'node:https';
import type { UpstreamOptions } from './plan.ts';

/** One instance as the admin API shows it. */
export interface InstanceStatus {
  readonly upstream: string;
  readonly url: string;
  readonly inFlight: number;
}

export interface Upstream {
  readonly options: UpstreamOptions;
  readonly url: URL;
  readonly agent: http.Agent;
  readonly client: typeof http | typeof https;
  inFlight: number;
}

export interface Upstreams {
  /** Swaps the table. What did not change keeps its connections; what is gone finishes what it has in flight. */
  set(list: readonly UpstreamOptions[]): void;
  get(name: string): Upstream | undefined;
  status(): readonly InstanceStatus[];
  close(): void;
}

/** The upstreams by name, each with its own pool of connections: one that stalls can't use up another's. */
export function createUpstreams(): Upstreams {
  let table = new Map<string, Upstream>();
  return {
    set(list) {
      const next = new Map<string, Upstream>();
      for (const options of list) {
        const before = table.get(options.name);
        next.set(
          options.name,
          before && JSON.stringify(before.options) === JSON.stringify(options) ? before : open(options),
        );
      }
      for (const [name, upstream] of table) if (next.get(name) !== upstream) upstream.agent.destroy();
      table = next;
    },
    get: (name) => table.get(name),
    status: () =>
      [...table.values()].map(({ options, url, inFlight }) => ({
        upstream: options.name,
        url: url.origin,
        inFlight,
      })),
    close: () => table.forEach((upstream) => upstream.agent.destroy()),
  };
}

function open(options: UpstreamOptions): Upstream {
  const url = new URL(options.urls[0]!);
  const client = url.protocol === 'https:' ? https : http;
  const agent = new client.Agent({
    keepAlive: true,
    maxFreeSockets: 256,
    timeout: options.timeouts.idle,
    scheduling: 'lifo',
  });
  return { options, url, agent, client, inFlight: 0 };
}
