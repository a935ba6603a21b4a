import { resolve } from 'node:path';
import { registrySettings, type RegistrySettings } from './registry.ts';

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly databaseUrl: string;
  /** Folder of the pictures. */
  readonly blobDir: string;
  /** Or `etcd:NAME`, as all that is found by the registry. */
  readonly smtpUrl: string;
  readonly logLevel: string;
  /** Database connections at most. */
  readonly poolSize: number;
  /** Milliseconds a statement may take. */
  readonly statementTimeout: number;
  /** Milliseconds a request may take to arrive, its body included. */
  readonly requestTimeout: number;
  /** Milliseconds that requests in flight have after SIGTERM. */
  readonly drain: number;
  /** Milliseconds between two looks for unsent confirmations. */
  readonly mailInterval: number;
  /** The query that tells whether a write of a picture is on the other side too (see mirrored.ts); null while nothing moves. */
  readonly mirroredSql: string | null;
  /** The service that has the pictures now, for pages that show them; null while they are in our database. */
  readonly picturesUrl: string | null;
  readonly registry: RegistrySettings;
  /** The router's admin port, which answers flags; null: none is asked. */
  readonly flagsUrl: string | null;
  /** What we say who we are with there; null: what `appTokenFile` says. */
  readonly appToken: string | null;
  readonly appTokenFile: string;
  /** Whether mail jobs go to a broker, by the outbox and the relay; otherwise they are queued in the database. */
  readonly hasBroker: boolean;
}

/** Of the relay, a process of its own. */
export interface RelayConfig {
  readonly databaseUrl: string;
  readonly amqpUrl: string;
  readonly host: string;
  /** Of the probes; null: none. */
  readonly port: number | null;
  readonly logLevel: string;
  /** Milliseconds between two looks into an outbox that was empty. */
  readonly pollEvery: number;
  /** Jobs that are under way at once, at most. */
  readonly batch: number;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the environment; an empty variable counts as unset. Throws an error that names the variable and says what to set it to. */
export function readConfig(env: Env): Config {
  const databaseUrl = env['DATABASE_URL'];
  if (!databaseUrl)
    throw new Error('DATABASE_URL is not set; give the connection string of the shop database');
  const registry = registrySettings(env);
  const found = (name: string): boolean => isFound(env, name, registry);
  return {
    host: env['HOST'] || '127.0.0.1',
    port: whole(env, 'MONOLITH_PORT', 3000, 0, 65_535),
    databaseUrl,
    blobDir: blobFolder(env),
    smtpUrl: found('SMTP_URL') ? env['SMTP_URL']! : smtpUrl(env['SMTP_URL'] || 'smtp://127.0.0.1:2525'),
    logLevel: oneOf(env, 'LOG_LEVEL', 'info', LEVELS),
    poolSize: whole(env, 'MONOLITH_POOL_SIZE', 20, 1, 1000),
    statementTimeout: whole(env, 'MONOLITH_STATEMENT_TIMEOUT_MS', 10_000, 1, 600_000),
    requestTimeout: whole(env, 'MONOLITH_REQUEST_TIMEOUT_MS', 300_000, 1000, 3_600_000),
    drain: whole(env, 'MONOLITH_DRAIN_MS', 20_000, 0, 600_000),
    mailInterval: whole(env, 'MONOLITH_MAIL_INTERVAL_MS', 5000, 10, 3_600_000),
    mirroredSql: env['IMAGE_MIRRORED_SQL'] || null,
    picturesUrl: found('PICTURES_URL') ? env['PICTURES_URL']! : httpUrl(env, 'PICTURES_URL'),
    registry,
    flagsUrl: httpUrl(env, 'FLAGS_URL'),
    appToken: env['STRANGLER_APP_TOKEN'] || null,
    appTokenFile: resolve(env['DATA_DIR'] || '.data', 'app-token'),
    hasBroker: Boolean(env['AMQP_URL']),
  };
}

/** As readConfig. */
export function readRelayConfig(env: Env): RelayConfig {
  const [databaseUrl, amqpUrl] = [env['DATABASE_URL'], env['AMQP_URL']];
  if (!databaseUrl)
    throw new Error('DATABASE_URL is not set; give the connection string of the shop database');
  // The value may hold a password, so it is not repeated.
  if (!amqpUrl || !/^amqps?:$/.test(URL.parse(amqpUrl)?.protocol ?? ''))
    throw new Error('AMQP_URL is not a URL like amqp://user:password@broker.example:5672');
  return {
    databaseUrl,
    amqpUrl,
    host: env['HOST'] || '127.0.0.1',
    port: env['RELAY_PORT'] ? whole(env, 'RELAY_PORT', 0, 0, 65_535) : null,
    logLevel: oneOf(env, 'LOG_LEVEL', 'info', LEVELS),
    pollEvery: whole(env, 'RELAY_POLL_MS', 50, 1, 60_000),
    batch: whole(env, 'RELAY_BATCH', 200, 1, 10_000),
  };
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

function whole(env: Env, name: string, preset: number, least: number, most: number): number {
  const text = env[name] || String(preset);
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > most)
    throw new Error(`${name}=${text} is not a whole number from ${least} to ${most}`);
  return number;
}

function oneOf(env: Env, name: string, preset: string, values: readonly string[]): string {
  const value = env[name] || preset;
  if (!values.includes(value)) throw new Error(`${name}=${value} is not one of ${values.join(', ')}`);
  return value;
}

function httpUrl(env: Env, name: string): string | null {
  const url = env[name];
  if (!url) return null;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new Error(`${name}=${url} is not a URL like http://127.0.0.1:3001`);
  return url.replace(/\/+$/, '');
}

/** True for `etcd:NAME`: the registry knows where that is. */
function isFound(env: Env, name: string, { etcdUrls }: RegistrySettings): boolean {
  const value = env[name];
  if (!value?.startsWith('etcd:')) return false;
  if (!/^etcd:[\w.-]+$/.test(value)) throw new Error(`${name}=${value} is not like etcd:smtp`);
  if (etcdUrls.length === 0)
    throw new Error(`${name}=${value} asks the registry, so set ETCD_URLS to where etcd is`);
  return true;
}

function smtpUrl(url: string): string {
  // The value may hold a password, so it is not repeated.
  if (!/^smtps?:$/.test(URL.canParse(url) ? new URL(url).protocol : ''))
    throw new Error('SMTP_URL is not a URL like smtp://user:password@mail.example:587');
  return url;
}

/** BLOB_URL as a folder: `file:/absolute`, `file:///absolute`, or `file:relative` to where the shop was started. */
function blobFolder(env: Env): string {
  const url = env['BLOB_URL'];
  if (!url) return resolve(env['DATA_DIR'] || '.data', 'blobs');
  const path = /^file:(?:\/\/(?=\/))?(?!\/\/)(.+)$/.exec(url)?.[1];
  if (path === undefined) throw new Error(`BLOB_URL=${url} is not a folder like file:/var/lib/shop/blobs`);
  try {
    return resolve(decodeURIComponent(path));
  } catch {
    throw new Error(`BLOB_URL=${url} has a % that is not followed by two hexadecimal digits`);
  }
}
