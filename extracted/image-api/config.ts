import { resolve } from 'node:path';
import { IN_WORK } from './render.ts';

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Whose tables and folder: the shop's, or this service's own. */
  readonly data: 'shared' | 'own';
  readonly databaseUrl: string;
  readonly blobDir: string;
  /** The query that tells whether a write is on the other side too (see mirrored.ts); null while nothing moves. */
  readonly mirroredSql: string | null;
  /** Who issues the sessions and keeps the products: its keys, its ended sessions and, with own data, its products are asked for here. */
  readonly shopUrl: string;
  readonly logLevel: string;
  /** Database connections at most. */
  readonly poolSize: number;
  /** Milliseconds a statement may take. */
  readonly statementTimeout: number;
  /** Milliseconds a request may take to arrive, its body included. */
  readonly requestTimeout: number;
  /** Milliseconds that requests in flight have after SIGTERM. */
  readonly drain: number;
  /** Milliseconds after which an upload on its way is taken for dead and cleared up; with own data also how long a blob without a row stays. */
  readonly stale: number;
  /** Pictures in work at once, pictures that may wait, and the milliseconds they may. */
  readonly bounds: { readonly inWork: number; readonly waiting: number; readonly patience: number };
}

type Env = Readonly<Record<string, string | undefined>>;

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Reads the environment; an empty variable counts as unset. Throws an error that names the variable and says what it should be. */
export function configFrom(env: Env): Config {
  const data = env['IMAGE_DATA'] || 'shared';
  if (data !== 'shared' && data !== 'own') throw new Error(`IMAGE_DATA=${data} is not shared or own`);
  // Own data in the shop's database would be found nowhere by who moves it: no fallback there.
  const databaseUrl = env['IMAGE_DATABASE_URL'] || (data === 'shared' ? env['DATABASE_URL'] : '');
  if (!databaseUrl)
    throw new Error(
      data === 'own'
        ? 'set IMAGE_DATABASE_URL to the database with the pictures table'
        : 'set IMAGE_DATABASE_URL (or DATABASE_URL) to the database with the images table',
    );
  const number = (name: string, preset: number, least: number, most: number): number => {
    const text = env[name] || String(preset);
    if (!/^\d{1,10}$/.test(text) || Number(text) < least || Number(text) > most)
      throw new Error(`${name}=${text} is not a whole number from ${least} to ${most}`);
    return Number(text);
  };
  const shopUrl = env['SHOP_URL'] || `http://127.0.0.1:${env['MONOLITH_PORT'] || '3000'}`;
  if (!/^https?:$/.test(URL.parse(shopUrl)?.protocol ?? ''))
    throw new Error(`SHOP_URL=${shopUrl} is not a URL like http://127.0.0.1:3000`);
  const logLevel = env['LOG_LEVEL'] || 'info';
  if (!LEVELS.includes(logLevel)) throw new Error(`LOG_LEVEL=${logLevel} is not one of ${LEVELS.join(', ')}`);
  return {
    host: env['HOST'] || '127.0.0.1',
    port: number('IMAGE_API_PORT', 3001, 0, 65_535),
    data,
    databaseUrl,
    blobDir: blobDirFrom(env, data === 'own' ? 'pictures' : 'blobs'),
    mirroredSql: (data === 'own' && env['IMAGE_MIRRORED_SQL']) || null,
    shopUrl,
    logLevel,
    poolSize: number('IMAGE_API_POOL_SIZE', 20, 1, 1000),
    statementTimeout: number('IMAGE_API_STATEMENT_TIMEOUT_MS', 10_000, 1, 600_000),
    requestTimeout: number('IMAGE_API_REQUEST_TIMEOUT_MS', 300_000, 1000, 3_600_000),
    drain: number('IMAGE_API_DRAIN_MS', 20_000, 0, 600_000),
    stale: number('IMAGE_API_STALE_UPLOAD_MS', 3_600_000, 0, 86_400_000),
    bounds: {
      inWork: number('IMAGE_API_IN_WORK', IN_WORK, 1, 1000),
      waiting: number('IMAGE_API_WAITING', 64, 0, 100_000),
      patience: number('IMAGE_API_PATIENCE_MS', 10_000, 1, 600_000),
    },
  };
}

/** `file:/absolute`, `file:///absolute`, or `file:relative` to where the service was started. */
function blobDirFrom(env: Env, preset: string): string {
  const url = env['BLOB_URL'] || `file:${encodeURI(resolve(env['DATA_DIR'] || '.data', preset))}`;
  const [, path] = /^file:(?:\/\/(?=\/))?(?!\/\/)(.+)$/.exec(url) ?? [];
  if (path === undefined) throw new Error(`BLOB_URL=${url} is not a folder like file:/srv/blobs`);
  try {
    return resolve(decodeURIComponent(path));
  } catch {
    throw new Error(`BLOB_URL=${url} has a % without two hexadecimal digits after it`);
  }
}
