import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { allocatorFor } from './allocator.ts';
import type { ImageData } from './image-data.ts';
import type { Settings } from './settings.ts';
import type { Service } from './supervise.ts';

/** Databases as the services are to see them. */
export interface Databases {
  readonly monolith: string;
  /** With the role of the service. */
  readonly imageApi: string;
  readonly emailApi: string;
  /** The service's own one, with the role that migrates it; when it has one. */
  readonly own: string | null;
}

/**
 * What `make up` runs, in the order of starting; it stops in the opposite order, so that the router goes first. A further service is one more
 * entry. Each gets our environment and what is named here.
 */
export function servicesOf(
  settings: Settings,
  databases: Databases,
  data: ImageData,
  smtpUrl: string,
): Service[] {
  const { root, dataDir, host, reach, ports, blobUrl } = settings;
  const at = (port: number): string => `http://${reach.includes(':') ? `[${reach}]` : reach}:${port}`;
  const common = {
    ...process.env,
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
    // Types stripped and code compiled once, so that a service that was killed is back sooner.
    NODE_COMPILE_CACHE: join(dataDir, 'compile-cache'),
    DATA_DIR: dataDir,
    HOST: host,
    BLOB_URL: blobUrl,
  };
  // Both sides say of a write whether the other one has it.
  const mirrored = data === 'moving' ? { IMAGE_MIRRORED_SQL: 'SELECT strangler.images_is_mirrored($1)' } : {};
  const node = (name: string, entry: string, port: number, env: Record<string, string>): Service => ({
    name,
    command: process.execPath,
    args: [join(root, entry)],
    env: { ...common, ...env },
    cwd: root,
    readyUrl: `${at(port)}/readyz`,
  });
  // The router comes last, and its token for applications with it: they read it when they first need it.
  const flagsUrl = `http://127.0.0.1:${ports.ADMIN_PORT}`;
  return [
    node('monolith', 'monolith/main.ts', ports.MONOLITH_PORT, {
      DATABASE_URL: databases.monolith,
      SMTP_URL: smtpUrl,
      FLAGS_URL: flagsUrl,
      ...mirrored,
      ...(data === 'own' && { PICTURES_URL: at(ports.IMAGE_API_PORT) }),
    }),
    ...settings.imageApiPorts.map((port, index) =>
      node(index === 0 ? 'image-api' : `image-api ${index + 1}`, 'extracted/image-api/main.ts', port, {
        IMAGE_API_PORT: String(port),
        // Never the owner's: the service has a role of its own.
        DATABASE_URL: databases.imageApi,
        IMAGE_DATABASE_URL: databases.imageApi,
        SHOP_URL: at(ports.MONOLITH_PORT),
        IMAGE_DATA: data === 'shared' ? 'shared' : 'own',
        // A thread for each picture in work, and some for files.
        UV_THREADPOOL_SIZE: process.env['UV_THREADPOOL_SIZE'] || String(availableParallelism() + 5),
        ...allocatorFor(process.env),
        ...(data !== 'shared' && { BLOB_URL: settings.ownBlobUrl }),
        ...mirrored,
      }),
    ),
    node('email-api', 'extracted/email-api/main.ts', ports.EMAIL_API_PORT, {
      DATABASE_URL: databases.emailApi,
      EMAIL_DATABASE_URL: databases.emailApi,
      SMTP_URL: smtpUrl,
      FLAGS_URL: flagsUrl,
    }),
    ...(settings.amqpUrl === null ? [] : [relayOf(settings, databases, common)]),
    {
      name: 'router',
      command: join(root, 'node_modules/.bin/strangler'),
      args: ['serve', '--config', settings.config],
      env: {
        ...common,
        ROUTER_HOST: process.env['ROUTER_HOST'] || host,
        FLAGS_FILE: join(dataDir, 'flags.json'),
        IMAGES_DATA: data,
        IMAGE_API_URLS: settings.imageApiPorts.map(at).join(),
        // With a registry, whoever lists itself is asked, also what was started elsewhere.
        IMAGE_API_SERVICE: process.env['ETCD_URLS'] ? 'image-api' : '',
      },
      cwd: root,
      // strangler.yaml keeps the admin port on loopback, wherever the traffic comes in.
      readyUrl: `http://127.0.0.1:${ports.ADMIN_PORT}/readyz`,
    },
    ...(data === 'moving' ? [moverOf(settings, databases, common)] : []),
  ];
}

/** Brings the shop's mail jobs to the broker. Nobody asks it anything, so it has no port. */
function relayOf(
  { root, amqpUrl }: Settings,
  databases: Databases,
  common: Readonly<Record<string, string | undefined>>,
): Service {
  return {
    name: 'relay',
    command: process.execPath,
    args: [join(root, 'monolith/relay.ts')],
    env: { ...common, DATABASE_URL: databases.monolith, AMQP_URL: amqpUrl! },
    cwd: root,
    readyUrl: null,
  };
}

/** Moves the pictures while both sides serve; it ends when the move is over. */
function moverOf(
  { root, blobUrl, ownBlobUrl }: Settings,
  databases: Databases,
  common: Readonly<Record<string, string | undefined>>,
): Service {
  return {
    name: 'mover',
    command: join(root, 'node_modules/.bin/strangler'),
    args: ['move', 'run', 'images', '--quiet'],
    env: {
      ...common,
      DATABASE_URL: databases.monolith,
      IMAGE_DATABASE_URL: databases.own!,
      BLOB_URL: blobUrl,
      IMAGE_BLOB_URL: ownBlobUrl,
    },
    cwd: root,
    readyUrl: null,
  };
}
