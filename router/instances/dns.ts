import { Resolver } from 'node:dns/promises';

/** One answer of DNS SRV (RFC 2782). */
export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
}

export interface SrvOptions {
  /** As in `_images._tcp.shop.internal`. */
  readonly name: string;
  /** `http` or `https`: SRV says nothing of it. */
  readonly scheme: 'http' | 'https';
  /** Name server as `address:port`, as Consul's or a test's; null: the machine's own. */
  readonly server?: string | null;
  /** How often it is asked, in milliseconds. */
  readonly interval: number;
  /** Told when the list is another one; sorted. Never called with an empty one: a name server's lapse must not empty an upstream. */
  readonly onChange: (urls: readonly string[]) => void;
  /** Told when DNS gives no list; the last one stays. */
  readonly onFault: (error: Error) => void;
  readonly resolve?: (name: string) => Promise<readonly SrvRecord[]>;
}

/** Keeps asking for the instances of an upstream; the first time at once. `close()` ends it. */
export function watchSrv({
  name,
  scheme,
  server = null,
  interval,
  onChange,
  onFault,
  resolve = resolver(server),
}: SrvOptions): {
  refresh(): Promise<void>;
  close(): void;
} {
  let last = '';
  let isClosed = false;
  const refresh = async (): Promise<void> => {
    try {
      const urls = urlsOf(await resolve(name), scheme);
      if (isClosed || urls.join() === last) return;
      if (urls.length === 0) throw new Error(`DNS knows no instance of ${name}`);
      last = urls.join();
      onChange(urls);
    } catch (error) {
      if (!isClosed) onFault(error as Error);
    }
  };
  const timer = setInterval(() => void refresh(), interval);
  timer.unref();
  void refresh();
  return {
    refresh,
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}

/** Origins of the records that are used: those of the lowest priority number (RFC 2782), each once. */
export function urlsOf(records: readonly SrvRecord[], scheme: 'http' | 'https'): string[] {
  const best = Math.min(...records.map(({ priority }) => priority));
  const used = records.filter(({ priority, name }) => priority === best && name !== '');
  return [...new Set(used.map(({ name, port }) => `${scheme}://${name.replace(/\.$/, '')}:${port}`))].sort();
}

function resolver(server: string | null): (name: string) => Promise<readonly SrvRecord[]> {
  const dns = new Resolver({ timeout: 2000, tries: 2 });
  if (server !== null) dns.setServers([server]);
  return async (name) => await dns.resolveSrv(name);
}
