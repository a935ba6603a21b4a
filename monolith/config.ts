import { resolve } from 'node:path';

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly databaseUrl: string;
  /** Folder of the pictures. */
  readonly blobDir: string;
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
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the environment; an empty variable counts as unset. Throws an error that names the variable and says what to set it to. */
export function readConfig(env: Env): Config {
  const databaseUrl = env['DATABASE_URL'];
  if (!databaseUrl)
    throw new Error('DATABASE_URL is not set; give the connection string of the shop database');
  return {
    host: env['HOST'] || '127.0.0.1',
    port: whole(env, 'MONOLITH_PORT', 3000, 0, 65_535),
    databaseUrl,
    blobDir: blobFolder(env),
    smtpUrl: smtpUrl(env['SMTP_URL'] || 'smtp://127.0.0.1:2525'),
    logLevel: oneOf(env, 'LOG_LEVEL', 'info', LEVELS),
    poolSize: whole(env, 'MONOLITH_POOL_SIZE', 20, 1, 1000),
    statementTimeout: whole(env, 'MONOLITH_STATEMENT_TIMEOUT_MS', 10_000, 1, 600_000),
    requestTimeout: whole(env, 'MONOLITH_REQUEST_TIMEOUT_MS', 300_000, 1000, 3_600_000),
    drain: whole(env, 'MONOLITH_DRAIN_MS', 20_000, 0, 600_000),
    mailInterval: whole(env, 'MONOLITH_MAIL_INTERVAL_MS', 5000, 10, 3_600_000),
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
