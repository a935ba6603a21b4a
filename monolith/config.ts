import { resolve } from 'node:path';

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly databaseUrl: string;
  /** Folder of the pictures. */
  readonly blobDir: string;
  readonly smtpUrl: string;
  readonly logLevel: string;
}

/** Reads the environment. Throws an error that names the variable and says what to set it to. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const databaseUrl = env['DATABASE_URL'];
  if (!databaseUrl)
    throw new Error('DATABASE_URL is not set; give the connection string of the shop database');
  return {
    host: env['HOST'] ?? '127.0.0.1',
    port: port('MONOLITH_PORT', env['MONOLITH_PORT'] ?? '3000'),
    databaseUrl,
    blobDir: blobFolder(env),
    smtpUrl: env['SMTP_URL'] ?? 'smtp://127.0.0.1:2525',
    logLevel: env['LOG_LEVEL'] ?? 'info',
  };
}

function port(name: string, text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > 65535) throw new Error(`${name}=${text} is not a port`);
  return number;
}

function blobFolder(env: Readonly<Record<string, string | undefined>>): string {
  const url = env['BLOB_URL'] ?? `file:${resolve(env['DATA_DIR'] ?? '.data', 'blobs')}`;
  if (!url.startsWith('file:'))
    throw new Error(`BLOB_URL=${url} is not a folder like file:/var/lib/shop/blobs`);
  return resolve(decodeURIComponent(url.slice('file:'.length).replace(/^\/\/(?=\/)/, '')));
}
