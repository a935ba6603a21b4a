import { resolve } from 'node:path';

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly databaseUrl: string;
  readonly blobDir: string;
  /** Who issues the sessions: its keys and its ended sessions are read from here. */
  readonly shopUrl: string;
  readonly logLevel: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the environment. Throws an error that names the variable and says what it should be. */
export function configFrom(env: Env): Config {
  const databaseUrl = env['IMAGE_DATABASE_URL'] || env['DATABASE_URL'];
  if (!databaseUrl)
    throw new Error('set IMAGE_DATABASE_URL (or DATABASE_URL) to the database with the images table');
  const port = env['IMAGE_API_PORT'] ?? '3001';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535)
    throw new Error(`IMAGE_API_PORT=${port} is not a port`);
  const shopUrl = env['SHOP_URL'] ?? `http://127.0.0.1:${env['MONOLITH_PORT'] ?? '3000'}`;
  if (!URL.canParse(shopUrl)) throw new Error(`SHOP_URL=${shopUrl} is not a URL`);
  return {
    host: env['HOST'] ?? '127.0.0.1',
    port: Number(port),
    databaseUrl,
    blobDir: blobDirFrom(env),
    shopUrl,
    logLevel: env['LOG_LEVEL'] ?? 'info',
  };
}

function blobDirFrom(env: Env): string {
  const url = env['BLOB_URL'] ?? `file:${resolve(env['DATA_DIR'] ?? '.data', 'blobs')}`;
  const found = /^file:(?:\/\/(?=\/))?(.+)$/.exec(url);
  if (!found) throw new Error(`BLOB_URL=${url} is not a folder like file:/srv/blobs`);
  return resolve(decodeURIComponent(found[1]!));
}
