import { createEtcd, type KeyValue } from '../etcd/client.ts';
import { watchPrefix } from '../etcd/watch.ts';
import type { KnownInstances } from './known.ts';

/**
 * What stands behind the instances in use. `FRESH`: the registry's list of this moment. `STALE`: the last one known, as the registry does not answer.
 * `EMPTY`: the registry answers and lists nobody; the last ones known stay for a while.
 */
export type RegistryState = 'FRESH' | 'STALE' | 'EMPTY';

export interface RegistryOptions {
  /** Name under which the instances list themselves. */
  readonly service: string;
  /** Members of etcd. */
  readonly etcdUrls: readonly string[];
  /** Where the last list outlives this process. */
  readonly known: KnownInstances;
  /** Told when the list is another one; sorted. Empty only when the registry has listed nobody for `emptyGrace`. */
  readonly onChange: (urls: readonly string[]) => void;
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
  /** Milliseconds without contact after which the list is called stale: the next member may have it. */
  readonly patience?: number;
  /** Milliseconds that the last instances known stay in use when the registry lists nobody. */
  readonly emptyGrace?: number;
}

export interface RegistryWatch {
  state(): RegistryState;
  close(): void;
}

/** Keys of services, as they write them: `strangler/services/NAME/ID` = `{"url": …}`, under a lease that ends with the instance. */
const prefixOf = (service: string): string => `strangler/services/${service}/`;

/**
 * Follows the instances of a service in etcd. Nothing that happens to etcd takes an instance away: without contact the last list stays, also over a restart
 * of the router; what is really gone is found by asking it, and left alone by its breaker. A registry that answers and lists nobody is more likely to have lost
 * its data than a service all its instances, so the last list stays then too, for `emptyGrace`; instances that live list themselves again within seconds.
 */
export function watchRegistry({
  service,
  etcdUrls,
  known,
  onChange,
  log,
  patience = 2000,
  emptyGrace = 300_000,
}: RegistryOptions): RegistryWatch {
  const etcd = createEtcd({ urls: etcdUrls });
  const listed = new Map<string, string>();
  let state: RegistryState = 'STALE';
  let used = known.read(service);
  const timers: Partial<Record<'stale' | 'given up', NodeJS.Timeout>> = {};
  if (used.length > 0) onChange(used);

  const enter = (next: RegistryState, message: string, fields: object = {}): void => {
    if (state === next) return;
    state = next;
    const level = next === 'FRESH' ? 'info' : 'warn';
    log[level]({ service, instances: used, ...fields }, message);
  };
  const after = (name: keyof typeof timers, milliseconds: number, what: () => void): void => {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(what, milliseconds).unref();
  };
  const use = (urls: readonly string[]): void => {
    if (urls.join() === used.join()) return;
    used = urls;
    onChange(urls);
  };

  function take(): void {
    const urls = [...new Set(listed.values())].sort();
    clearTimeout(timers.stale);
    if (urls.length > 0) {
      clearTimeout(timers['given up']);
      use(urls);
      known.write(service, urls);
      return enter('FRESH', 'the registry lists these instances');
    }
    if (state === 'EMPTY') return;
    enter('EMPTY', 'the registry answers, but lists no instance; those known stay for now', { emptyGrace });
    after('given up', emptyGrace, () => {
      log.warn({ service }, 'the registry still lists no instance; those known are given up');
      use([]);
    });
  }
  function set(key: string, text: string): void {
    const url = originIn(text);
    if (url !== null) listed.set(key, url);
    else
      log.warn({ key, value: text }, 'the registry lists something that is not {"url": "http://HOST:PORT"}');
  }

  const watching = watchPrefix({
    etcd,
    prefix: prefixOf(service),
    onRead(keys: readonly KeyValue[]) {
      listed.clear();
      for (const { key, value } of keys) set(key, value);
      take();
    },
    onChanges(changes) {
      for (const { kind, key, value } of changes) {
        listed.delete(key);
        if (kind === 'put') set(key, value);
      }
      take();
    },
    onContact(trouble) {
      if (trouble === null) return take();
      const stale = (): void =>
        enter('STALE', 'the registry does not answer; the instances known stay', { trouble });
      if (state !== 'STALE') after('stale', patience, stale);
    },
  });
  return {
    state: () => state,
    close() {
      Object.values(timers).forEach(clearTimeout);
      watching.close();
      etcd.close();
    },
  };
}

/** The origin that an instance lists; null when it is none. */
function originIn(text: string): string | null {
  try {
    const { url } = JSON.parse(text) as { url?: unknown };
    const { origin, protocol } = new URL(String(url));
    return protocol === 'http:' || protocol === 'https:' ? origin : null;
  } catch {
    return null;
  }
}
