import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';

/** Where this service is listed: etcd, keys `strangler/services/NAME/ID`. */
export interface RegistrySettings {
  /** Members of etcd, as origins; empty: there is no registry. */
  readonly etcdUrls: readonly string[];
  /** Under which name, and where others reach this process; null: the service's own, and where it listens. */
  readonly name: string | null;
  readonly url: string | null;
}

/** ETCD_URLS (comma-separated), SERVICE_NAME and SERVICE_URL. Throws an error that names the variable and says what it should be. */
export function registrySettings(env: Readonly<Record<string, string | undefined>>): RegistrySettings {
  const { ETCD_URLS = '', SERVICE_NAME: name, SERVICE_URL: url } = env;
  const etcdUrls = ETCD_URLS.split(',').flatMap((each) => each.trim() || []);
  // A password is not repeated.
  if (etcdUrls.some((each) => URL.parse(each)?.username))
    throw new Error('ETCD_URLS: etcd is asked without user and password; leave them out of its URLs');
  const wrong = etcdUrls.find((each) => !/^https?:/.test(each) || !URL.canParse(each));
  if (wrong) throw new Error(`ETCD_URLS: ${wrong} is not a URL like http://127.0.0.1:2379`);
  if (name && !/^[\w.-]+$/.test(name))
    throw new Error(`SERVICE_NAME=${name}: use letters, digits, dots, dashes and underscores`);
  if (url && !URL.canParse(url)) throw new Error(`SERVICE_URL=${url} is not a URL like http://10.0.0.7:3001`);
  return { etcdUrls, name: name || null, url: url || null };
}

export interface Registry {
  /** Lists this process, as long as it lives: its lease ends after 10 s without a sign of it. `name` and `url` yield to the settings. */
  join(name: string, url: string): void;
  /** Takes this process out of the list, so that nobody new comes. Resolves within about a second, also without etcd. */
  leave(): Promise<void>;
}

/** Seconds that a lease lasts without a renewal. */
const LEASE = 10;
/** Milliseconds between two renewals, and between two tries when etcd does not answer. */
const [RENEW, AGAIN] = [3000, 500];
/** Milliseconds a member of etcd has before the next one is asked, and all of them for the farewell. */
const [ATTEMPT, PATIENCE] = [250, 1000];

type Log = Pick<Logger, 'info' | 'warn'>;

/** Nothing here stops or slows the service: what etcd does not answer is tried again later. */
export function openRegistry({ etcdUrls, ...given }: RegistrySettings, log: Log): Registry {
  const ask = etcdClient(etcdUrls);
  const timers = new Set<NodeJS.Timeout>();
  const turns = new Set<Promise<void>>();
  let isOver = false;
  let lease: string | null = null;
  let [isListed, isQuiet] = [false, false];

  /** Does something now and again, with the pause it asks for. */
  function repeat(what: () => Promise<number>): void {
    if (isOver || etcdUrls.length === 0) return;
    const turn = what().then((pause) => {
      turns.delete(turn);
      const timer = setTimeout(() => (timers.delete(timer), repeat(what)), pause).unref();
      timers.add(timer);
    });
    turns.add(turn);
  }

  /** Renews the lease; without one, or when it or the entry was lost, lists the process anew. */
  async function keepListed(key: string, value: string): Promise<number> {
    try {
      if (isListed) {
        const { result } = await ask('lease/keepalive', { ID: lease });
        const { count = 0 } = await ask('kv/range', { key: base64(key), count_only: true });
        isListed = Number((result as { TTL?: string } | undefined)?.TTL ?? 0) > 0 && Number(count) > 0;
      }
      if (isListed) return RENEW;
      lease = String((await ask('lease/grant', { TTL: LEASE }))['ID']);
      if (isOver) return RENEW;
      await ask('kv/put', { key: base64(key), value: base64(value), lease });
      isListed = true;
      isQuiet = false;
      log.info({ key }, 'listed in the registry');
      return RENEW;
    } catch (error) {
      if (!isQuiet) log.warn({ err: error }, 'the registry does not answer; it is tried again');
      isQuiet = true;
      return AGAIN;
    }
  }

  return {
    join(name, url) {
      const at = given.url ?? url;
      const key = `strangler/services/${given.name ?? name}/${new URL(at).host}`;
      repeat(() => keepListed(key, JSON.stringify({ url: at })));
    },
    async leave() {
      isOver = true;
      const listing = Promise.all(turns).then(() => (lease ? ask('lease/revoke', { ID: lease }) : null));
      await Promise.race([listing.catch(() => undefined), wait(PATIENCE)]);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

type Answer = Readonly<Record<string, unknown>>;
/** One request to etcd's JSON gateway; the member that answered last is asked first. Rejects when none answers. */
function etcdClient(urls: readonly string[]): (path: string, body: object) => Promise<Answer> {
  let first = 0;
  return async (path, body) => {
    let failure = new Error('ETCD_URLS names no member');
    for (let left = urls.length; left > 0; left--) {
      try {
        const init = { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(ATTEMPT) };
        const response = await fetch(new URL(`/v3/${path}`, urls[first]), init);
        if (response.ok) return (await response.json()) as Answer;
        failure = new Error(`etcd answers ${response.status} ${await response.text()}`);
      } catch (error) {
        failure = error as Error;
      }
      first = (first + 1) % urls.length;
    }
    throw failure;
  };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Where others reach a server that listens on `host`: on every address means by the machine's name, as in a network of containers. */
export function reachableUrl(host: string, port: number): string {
  const at = host === '0.0.0.0' || host === '::' ? hostname() : host;
  return `http://${at.includes(':') ? `[${at}]` : at}:${port}`;
}
