import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readS3Url } from '../../migrations/move/s3-place.ts';

/** Variables of the ports, with their defaults. */
const PORTS = {
  ROUTER_PORT: 8080,
  ADMIN_PORT: 8081,
  MONOLITH_PORT: 3000,
  IMAGE_API_PORT: 3001,
  EMAIL_API_PORT: 3002,
  SMTP_PORT: 2525,
} as const;
export type PortVariable = keyof typeof PORTS;

/** What `make up` was told by its environment. */
export interface Settings {
  /** The repository. */
  readonly root: string;
  /** The router's config. */
  readonly config: string;
  /** Absolute folder of everything that outlives a run. */
  readonly dataDir: string;
  readonly host: string;
  /** Address under which a process on this machine reaches `host`. */
  readonly reach: string;
  readonly ports: Readonly<Record<PortVariable, number>>;
  /** Of the image-apis, one each: IMAGE_API_INSTANCES of them, from IMAGE_API_PORT up. */
  readonly imageApiPorts: readonly number[];
  /** The shop's, which is always a folder. */
  readonly blobDir: string;
  readonly blobUrl: string;
  /** A sentence to print at the start: what BLOB_URL names is not what one may think. Null: nothing to say. */
  readonly blobNote: string | null;
  /** Null: the embedded Postgres. */
  readonly databaseUrl: string | null;
  readonly imageDatabaseUrl: string | null;
  readonly emailDatabaseUrl: string | null;
  /** Of a broker; null: the queue is in the shop's database. */
  readonly amqpUrl: string | null;
  /** Null: as the data is. */
  readonly imageData: 'shared' | 'own' | null;
  /** Of the service's own pictures: a folder, or the URL of a bucket. */
  readonly ownBlobs: string;
  readonly ownBlobUrl: string;
  /** Null: the built-in catcher. */
  readonly smtpUrl: string | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the environment; an empty variable counts as not set. Throws a sentence that names the variable. */
export function readSettings(env: Environment, root: string): Settings {
  const get = (name: string): string | null => env[name] || null;
  const dataDir = resolve(root, get('DATA_DIR') ?? '.data');
  const host = get('HOST') ?? '127.0.0.1';
  const imageData = get('IMAGE_DATA');
  if (imageData !== null && imageData !== 'shared' && imageData !== 'own')
    throw new Error(`IMAGE_DATA=${imageData} is not shared or own`);
  const { blobUrl, ownBlobUrl, blobNote } = blobUrls(get, dataDir);
  const ports = readPorts(env);
  return {
    root,
    config: resolve(root, get('STRANGLER_CONFIG') ?? 'strangler.yaml'),
    dataDir,
    host,
    reach: host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host,
    ports,
    imageApiPorts: imageApiPorts(get('IMAGE_API_INSTANCES') ?? '1', ports),
    blobUrl,
    blobDir: blobFolder('BLOB_URL', blobUrl, root),
    blobNote,
    imageData,
    ownBlobUrl,
    ownBlobs: isBucket(ownBlobUrl) ? ownBlobUrl : blobFolder('IMAGE_BLOB_URL', ownBlobUrl, root),
    databaseUrl: get('DATABASE_URL'),
    imageDatabaseUrl: get('IMAGE_DATABASE_URL'),
    emailDatabaseUrl: get('EMAIL_DATABASE_URL'),
    amqpUrl: amqpUrl(get('AMQP_URL')),
    smtpUrl: get('SMTP_URL'),
  };
}

const isBucket = (url: string): boolean => url.startsWith('s3:');

/** A bucket can hold the pictures of the service, which finds them by their hash; the shop writes files at paths. So a bucket in BLOB_URL is the service's. */
function blobUrls(
  get: (name: string) => string | null,
  dataDir: string,
): Pick<Settings, 'blobUrl' | 'ownBlobUrl' | 'blobNote'> {
  const folder = (name: string): string => pathToFileURL(resolve(dataDir, name)).href;
  const [given, own] = [get('BLOB_URL'), get('IMAGE_BLOB_URL')];
  const isOurs = given !== null && isBucket(given);
  if (isOurs && own !== null && own !== given)
    throw new Error('BLOB_URL and IMAGE_BLOB_URL name two stores for the pictures of the service: set one');
  const blobUrl = isOurs ? folder('blobs') : (given ?? folder('blobs'));
  const ownBlobUrl = own ?? (isOurs ? given : folder('pictures'));
  const isUsed = get('IMAGE_DATA') === 'own';
  const note = `BLOB_URL names a bucket: the image-api keeps the pictures there that are its own${isUsed ? '' : ' (with IMAGE_DATA=own, which is not set)'}; the shop's are files in ${resolve(dataDir, 'blobs')}`;
  // Whoever reads the URL must find it right before anything is started.
  if (isBucket(ownBlobUrl))
    readS3Url(own === null ? 'BLOB_URL' : 'IMAGE_BLOB_URL', ownBlobUrl, get('AWS_REGION') ?? undefined);
  return { blobUrl, ownBlobUrl, blobNote: isOurs ? note : null };
}

function readPorts(env: Environment): Record<PortVariable, number> {
  const ports: Record<PortVariable, number> = { ...PORTS };
  const users = new Map<number, PortVariable>();
  for (const name of Object.keys(PORTS) as PortVariable[]) {
    const text = env[name] || String(PORTS[name]);
    const port = Number(text);
    if (!/^\d+$/.test(text) || port < 1 || port > 65535)
      throw new Error(`${name}=${text} is not a port: give a number from 1 to 65535`);
    const other = users.get(port);
    if (other) throw new Error(`${other} and ${name} are both ${port}: set one of them to another port`);
    users.set(port, name);
    ports[name] = port;
  }
  return ports;
}

/** The first is IMAGE_API_PORT; each further one has the next number above that is nobody else's by our variables. */
function imageApiPorts(text: string, ports: Settings['ports']): number[] {
  if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > 32)
    throw new Error(`IMAGE_API_INSTANCES=${text} is not a number from 1 to 32`);
  const others = new Set(Object.values(ports));
  const found = [ports.IMAGE_API_PORT];
  for (let port = ports.IMAGE_API_PORT + 1; found.length < Number(text); port++)
    if (!others.has(port)) found.push(port);
  if (found.at(-1)! > 65535)
    throw new Error(
      `IMAGE_API_INSTANCES=${text}: there are too few ports above IMAGE_API_PORT=${ports.IMAGE_API_PORT}`,
    );
  return found;
}

function amqpUrl(url: string | null): string | null {
  // The value may hold a password, so it is not repeated.
  if (url !== null && !/^amqps?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new Error('AMQP_URL is not a URL like amqp://user:password@broker.example:5672');
  return url;
}

function blobFolder(variable: string, url: string, root: string): string {
  if (!url.startsWith('file:'))
    throw new Error(
      `${variable}=${url} is not a folder like file:///var/lib/shop/blobs, nor a bucket like s3://bucket/prefix`,
    );
  return url.startsWith('file:/')
    ? fileURLToPath(url)
    : resolve(root, decodeURIComponent(url.slice('file:'.length)));
}

/** Rejects with one line for each port that somebody else listens on. */
export async function refuseTakenPorts({ host, ports, imageApiPorts, smtpUrl }: Settings): Promise<void> {
  const wanted = (Object.keys(ports) as PortVariable[]).filter((name) => name !== 'SMTP_PORT' || !smtpUrl);
  const faults = await Promise.all([
    ...wanted.map((name) => portFault(name, ports[name], host)),
    ...imageApiPorts.slice(1).map((port) => portFault('IMAGE_API_PORT', port, host)),
  ]);
  const lines = faults.filter((fault) => fault !== null);
  if (lines.length > 0) throw new Error(lines.join('\n'));
}

async function portFault(name: PortVariable, port: number, host: string): Promise<string | null> {
  const server = createServer();
  try {
    await new Promise<void>((done, fail) => server.once('error', fail).listen({ port, host }, done));
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      return `port ${port} is in use by another program: stop it, or set ${name} to another port`;
    return `can't listen on port ${port} (${message}): set ${name} to another port`;
  } finally {
    server.close();
  }
}
