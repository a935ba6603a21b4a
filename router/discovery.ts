import type { Config } from './config/schema.ts';
import type { UpstreamOptions } from './forward/plan.ts';
import { watchSrv } from './instances/dns.ts';

export interface Discovery {
  /** Takes the upstreams of a config: those it lists at once, those DNS knows as soon as it answers, and again whenever it answers otherwise. */
  use(config: Config): void;
  close(): void;
}

/** What of the world outside discovery is told. */
export interface DiscoveryOptions {
  readonly setUpstreams: (list: readonly UpstreamOptions[]) => void;
  readonly log: { warn(fields: object, message: string): void };
}

/**
 * Where the instances of each upstream are: listed in the config, or named by DNS SRV (RFC 2782). An upstream of which DNS has said nothing yet
 * is not in the table; its requests are answered as if it were down, so reads fall back.
 */
export function createDiscovery({ setUpstreams, log }: DiscoveryOptions): Discovery {
  const watchers = new Map<string, { readonly id: string; urls: readonly string[]; close(): void }>();
  let config: Config | null = null;

  const publish = (): void => {
    const all = Object.entries(config?.upstreams ?? {}).map(([name, { urls, timeouts, maxInFlight }]) => ({
      name,
      urls: urls ?? watchers.get(name)?.urls ?? [],
      timeouts,
      maxInFlight,
    }));
    setUpstreams(all.filter(({ urls }) => urls.length > 0));
  };

  return {
    use(next) {
      config = next;
      const wanted = new Map(
        Object.entries(next.upstreams).flatMap(([name, { dns }]) => (dns ? [[name, dns] as const] : [])),
      );
      for (const [name, watcher] of watchers) {
        if (JSON.stringify(wanted.get(name)) === watcher.id) continue;
        watcher.close();
        watchers.delete(name);
      }
      for (const [name, dns] of wanted) {
        if (watchers.has(name)) continue;
        const watched = watchSrv({
          ...dns,
          onChange(urls) {
            entry.urls = urls;
            publish();
          },
          onFault: (error) =>
            log.warn(
              { upstream: name, dns: dns.name, err: error },
              'DNS gives no instances; those known stay',
            ),
        });
        const entry = { id: JSON.stringify(dns), urls: [] as readonly string[], close: watched.close };
        watchers.set(name, entry);
      }
      publish();
    },
    close: () => watchers.forEach((watcher) => watcher.close()),
  };
}
