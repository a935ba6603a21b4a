import { resolve } from 'node:path';
import { registrySettings, type RegistrySettings } from './registry.ts';

export interface Config {
  readonly host: string;
  readonly port: number;
  /** The database with the inbox, and, without a broker, the queue. */
  readonly databaseUrl: string;
  /** Of the broker; null: the queue is in the database. */
  readonly amqpUrl: string | null;
  /** Or `etcd:NAME`: the registry knows where it is. */
  readonly smtpUrl: string;
  /** Admin port of the router, that hears how mails fare; null: nobody does. */
  readonly flagsUrl: string | null;
  /** What says that we may report there: a token, or the file that holds it. */
  readonly appToken: { readonly text: string } | { readonly file: string };
  readonly logLevel: string;
  /** Mails under way at once. */
  readonly concurrency: number;
  /** Seconds between the attempts of a mail that was refused for now; after the last comes the dead letter. */
  readonly retrySeconds: readonly number[];
  /** How often a mail may end the process it is handled by. */
  readonly maxCrashes: number;
  /** Milliseconds that the mail server has for one mail. */
  readonly sendTimeout: number;
  /** Milliseconds between two looks into an empty queue; in the database only. */
  readonly poll: number;
  /** Days after which the inbox forgets that a mail was sent. */
  readonly inboxDays: number;
  /** Milliseconds that mails under way have after SIGTERM. */
  readonly drain: number;
  readonly registry: RegistrySettings;
}

type Env = Readonly<Record<string, string | undefined>>;

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Reads the environment; an empty variable counts as unset. Throws an error that names the variable and says what it should be, never a URL: it may hold a password. */
export function configFrom(env: Env): Config {
  const number = (name: string, preset: number, least: number, most: number): number => {
    const text = env[name] || String(preset);
    if (!/^\d{1,10}$/.test(text) || Number(text) < least || Number(text) > most)
      throw new Error(`${name}=${text} is not a whole number from ${least} to ${most}`);
    return Number(text);
  };
  const url = (name: string, preset: string | null, protocols: RegExp, example: string): string | null => {
    const text = env[name] || preset;
    if (text === null) return null;
    if (!protocols.test(URL.parse(text)?.protocol ?? ''))
      throw new Error(`${name} is not a URL like ${example}`);
    return text;
  };
  const logLevel = env['LOG_LEVEL'] || 'info';
  if (!LEVELS.includes(logLevel)) throw new Error(`LOG_LEVEL=${logLevel} is not one of ${LEVELS.join(', ')}`);
  const { databaseUrl, amqpUrl } = storesFrom(env);
  const registry = registrySettings(env);
  const smtp = `smtp://127.0.0.1:${env['SMTP_PORT'] || '2525'}`;
  return {
    host: env['HOST'] || '127.0.0.1',
    port: number('EMAIL_API_PORT', 3002, 0, 65_535),
    databaseUrl,
    amqpUrl,
    smtpUrl: isFound(env, 'SMTP_URL', registry)
      ? env['SMTP_URL']!
      : url('SMTP_URL', smtp, /^smtps?:$/, 'smtp://user:password@mail.example:587')!,
    flagsUrl: url('FLAGS_URL', null, /^https?:$/, 'http://127.0.0.1:8081')?.replace(/\/+$/, '') ?? null,
    appToken: env['STRANGLER_APP_TOKEN']
      ? { text: env['STRANGLER_APP_TOKEN'] }
      : { file: resolve(env['DATA_DIR'] || '.data', 'app-token') },
    logLevel,
    concurrency: number('EMAIL_API_CONCURRENCY', 5, 1, 100),
    retrySeconds: retriesFrom(env['EMAIL_API_RETRY_SECONDS'] || '1,5,30,300,900,3600,3600,3600'),
    maxCrashes: number('EMAIL_API_MAX_CRASHES', 5, 1, 19),
    sendTimeout: number('EMAIL_API_SEND_TIMEOUT_MS', 30_000, 100, 90_000),
    poll: number('EMAIL_API_POLL_MS', 200, 10, 60_000),
    inboxDays: number('EMAIL_API_INBOX_DAYS', 30, 1, 3650),
    drain: number('EMAIL_API_DRAIN_MS', 20_000, 0, 600_000),
    registry,
  };
}

/** Where the queue and the inbox are; all that the command for dead letters needs. Throws as `configFrom` does. */
export function storesFrom(env: Env): Pick<Config, 'databaseUrl' | 'amqpUrl'> {
  const databaseUrl = env['EMAIL_DATABASE_URL'] || env['DATABASE_URL'];
  if (!databaseUrl)
    throw new Error('set EMAIL_DATABASE_URL (or DATABASE_URL) to the database with the schema email_api');
  const amqpUrl = env['AMQP_URL'] || null;
  if (amqpUrl !== null && !/^amqps?:$/.test(URL.parse(amqpUrl)?.protocol ?? ''))
    throw new Error('AMQP_URL is not a URL like amqp://user:password@broker.example:5672');
  return { databaseUrl, amqpUrl };
}

/** True for `etcd:NAME`. Throws as `configFrom` does. */
function isFound(env: Env, name: string, { etcdUrls }: RegistrySettings): boolean {
  const value = env[name];
  if (!value?.startsWith('etcd:')) return false;
  if (!/^etcd:[\w.-]+$/.test(value)) throw new Error(`${name}=${value} is not like etcd:smtp`);
  if (etcdUrls.length === 0)
    throw new Error(`${name}=${value} asks the registry, so set ETCD_URLS to where etcd is`);
  return true;
}

function retriesFrom(text: string): number[] {
  const seconds = text.split(',').map((part) => part.trim());
  // Every length is a queue of its own at the broker.
  if (seconds.length > 20 || !seconds.every((part) => /^[1-9]\d{0,4}$/.test(part)))
    throw new Error(
      `EMAIL_API_RETRY_SECONDS=${text} is not a list of up to 20 whole numbers of seconds like 1,5,30`,
    );
  return seconds.map(Number);
}
