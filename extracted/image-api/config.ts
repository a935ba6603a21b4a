import { resolve } from 'node:path';
import type { BoundedOptions } from './bounded.ts';
import { IN_WORK } from './codecs.ts';
import { renditionSettings, type RenditionSettings } from './rendition-settings.ts';
import { readS3Url, type S3Place } from './s3-url.ts';
import type { S3Limits } from './s3-store.ts';
import { registrySettings, type RegistrySettings } from './registry.ts';

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Whose tables and folder: the shop's, or this service's own. */
  readonly data: 'shared' | 'own';
  readonly databaseUrl: string;
  /** Folder of the blobs; with a bucket, of what is on its way to it. */
  readonly blobDir: string;
  /** The bucket of own data's blobs; null: they are in the folder. */
  readonly bucket: S3Place | null;
  readonly s3: S3Limits;
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
  readonly bounds: BoundedOptions;
  readonly renditions: RenditionSettings;
  readonly registry: RegistrySettings;
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
    if (!/^\d{1,16}$/.test(text) || Number(text) < least || Number(text) > most)
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
    ...blobsFrom(env, data),
    s3: {
      connect: number('IMAGE_API_S3_CONNECT_TIMEOUT_MS', 2000, 1, 600_000),
      answer: number('IMAGE_API_S3_TIMEOUT_MS', 20_000, 1, 600_000),
    },
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
      memory: number('IMAGE_API_MEMORY_BYTES', 112 * 2 ** 20, 2 ** 20, 2 ** 40),
    },
    renditions: renditionSettings(env, number),
    registry: registrySettings(env),
  };
}

function blobsFrom(env: Env, data: Config['data']): Pick<Config, 'blobDir' | 'bucket'> {
  const preset = resolve(env['DATA_DIR'] || '.data', data === 'own' ? 'pictures' : 'blobs');
  const url = env['BLOB_URL'] || `file:${encodeURI(preset)}`;
  if (!url.startsWith('s3:')) return { blobDir: folderOf(url), bucket: null };
  const bucket = readS3Url('BLOB_URL', url, env['AWS_REGION']);
  if (data === 'shared')
    throw new Error(
      'BLOB_URL=s3: needs IMAGE_DATA=own: shared pictures are files of a folder that the shop reads and writes itself; set BLOB_URL to that folder, like file:/srv/blobs, or move the pictures first (strangler move)',
    );
  return { blobDir: preset, bucket };
}

/** `file:/absolute`, `file:///absolute`, or `file:relative` to where the service was started. */
function folderOf(url: string): string {
  const [, path] = /^file:(?:\/\/(?=\/))?(?!\/\/)(.+)$/.exec(url) ?? [];
  if (path === undefined)
    throw new Error(
      `BLOB_URL=${url} is not a folder like file:/srv/blobs or a bucket like s3://bucket/prefix`,
    );
  try {
    return resolve(decodeURIComponent(path));
  } catch {
    throw new Error(`BLOB_URL=${url} has a % without two hexadecimal digits after it`);
  }
}
