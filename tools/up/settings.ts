import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Variables of the ports, with their defaults. */
const PORTS = {
  ROUTER_PORT: 8080,
  ADMIN_PORT: 8081,
  MONOLITH_PORT: 3000,
  IMAGE_API_PORT: 3001,
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
  readonly blobDir: string;
  readonly blobUrl: string;
  /** Null: the embedded Postgres. */
  readonly databaseUrl: string | null;
  readonly imageDatabaseUrl: string | null;
  /** Null: the built-in catcher. */
  readonly smtpUrl: string | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the environment; an empty variable counts as not set. Throws a sentence that names the variable. */
export function readSettings(env: Environment, root: string): Settings {
  const get = (name: string): string | null => env[name] || null;
  const dataDir = resolve(root, get('DATA_DIR') ?? '.data');
  const host = get('HOST') ?? '127.0.0.1';
  const blobUrl = get('BLOB_URL') ?? pathToFileURL(resolve(dataDir, 'blobs')).href;
  return {
    root,
    config: resolve(root, get('STRANGLER_CONFIG') ?? 'strangler.yaml'),
    dataDir,
    host,
    reach: host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host,
    ports: readPorts(env),
    blobUrl,
    blobDir: blobFolder(blobUrl, root),
    databaseUrl: get('DATABASE_URL'),
    imageDatabaseUrl: get('IMAGE_DATABASE_URL'),
    smtpUrl: get('SMTP_URL'),
  };
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

function blobFolder(url: string, root: string): string {
  if (!url.startsWith('file:'))
    throw new Error(`BLOB_URL=${url} is not a folder like file:///var/lib/shop/blobs`);
  return url.startsWith('file:/')
    ? fileURLToPath(url)
    : resolve(root, decodeURIComponent(url.slice('file:'.length)));
}

/** Rejects with one line for each port that somebody else listens on. */
export async function refuseTakenPorts({ host, ports, smtpUrl }: Settings): Promise<void> {
  const wanted = (Object.keys(ports) as PortVariable[]).filter((name) => name !== 'SMTP_PORT' || !smtpUrl);
  const faults = await Promise.all(wanted.map((name) => portFault(name, ports[name], host)));
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
