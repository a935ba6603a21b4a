import { join } from 'node:path';
import { etcdUrlsOf } from './config/etcd-endpoints.ts';
import type { Config } from './config/schema.ts';
import type { UpstreamOptions } from './forward/plan.ts';
import type { UpstreamStatus } from './forward/upstream.ts';
import { watchSrv } from './instances/dns.ts';
import { watchRegistry, type RegistryState } from './instances/etcd.ts';
import { knownInstances } from './instances/known.ts';

export interface Discovery {
  /** Takes the upstreams of a config: those it lists at once, those that DNS or a registry knows as soon as it answers, and again whenever it answers otherwise. */
  use(config: Config): void;
  /** Adds what the registry is worth to the status of upstreams, and those of which nothing is known yet. */
  described(upstreams: readonly UpstreamStatus[]): readonly DiscoveredUpstream[];
  close(): void;
}

export interface DiscoveredUpstream extends UpstreamStatus {
  /** null: it is not found by a registry. */
  readonly registry: RegistryState | null;
}

export interface DiscoveryOptions {
  /** Where the last instances known are kept. */
  readonly stateDir: string;
  /** ETCD_URLS, where the config says nothing. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly setUpstreams: (list: readonly UpstreamOptions[]) => void;
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
}

interface Watcher {
  /** What is watched: another one when it changes. */
  readonly id: string;
  urls: readonly string[];
  state: (() => RegistryState) | null;
  close(): void;
}

/**
 * Where the instances of each upstream are: listed in the config, named by DNS SRV (RFC 2782), or listed by themselves in etcd. An upstream of which nothing
 * was heard yet is not in the table; its requests are answered as if it were down, so reads fall back.
 */
export function createDiscovery({ stateDir, env, setUpstreams, log }: DiscoveryOptions): Discovery {
  const watchers = new Map<string, Watcher>();
  let config: Config | null = null;

  const publish = (): void => {
    const all = Object.entries(config?.upstreams ?? {}).map(([name, { urls, timeouts, maxInFlight }]) => {
      const found = watchers.get(name)?.urls ?? [];
      return { name, urls: found.length > 0 ? found : (urls ?? []), timeouts, maxInFlight };
    });
    setUpstreams(all.filter(({ urls }) => urls.length > 0));
  };

  function watch(upstream: string, { dns, etcd }: Config['upstreams'][string], next: Config): void {
    const etcdUrls = etcd === null ? [] : etcdUrlsOf(next, env);
    const id = JSON.stringify([dns, etcd, etcdUrls]);
    if (watchers.get(upstream)?.id === id) return;
    watchers.get(upstream)?.close();
    watchers.delete(upstream);
    if (dns === null && etcd === null) return;
    const watcher: Watcher = { id, urls: [], state: null, close: () => undefined };
    watchers.set(upstream, watcher);
    const onChange = (urls: readonly string[]): void => {
      watcher.urls = urls;
      publish();
    };
    if (dns !== null) {
      const onFault = (err: Error): void =>
        log.warn({ upstream, dns: dns.name, err }, 'DNS gives no instances; those known stay');
      watcher.close = watchSrv({ ...dns, onChange, onFault }).close;
      return;
    }
    const known = knownInstances(join(stateDir, 'instances', `${upstream}.json`), log);
    const registry = watchRegistry({ service: etcd!, etcdUrls, known, onChange, log });
    watcher.state = registry.state;
    watcher.close = registry.close;
  }

  return {
    use(next) {
      config = next;
      for (const [name, watcher] of watchers) {
        if (next.upstreams[name]) continue;
        watcher.close();
        watchers.delete(name);
      }
      for (const [name, upstream] of Object.entries(next.upstreams)) watch(name, upstream, next);
      publish();
    },
    described(upstreams) {
      const unheard = [...watchers.keys()].filter((name) => !upstreams.some((known) => known.name === name));
      return [...upstreams, ...unheard.map((name) => ({ name, inFlight: 0, retries: 0, instances: [] }))].map(
        (upstream) => ({ ...upstream, registry: watchers.get(upstream.name)?.state?.() ?? null }),
      );
    },
    close: () => watchers.forEach((watcher) => watcher.close()),
  };
}
