import { join } from 'node:path';
import type { Settings } from './settings.ts';
import type { Service } from './supervise.ts';

/** Databases as the services are to see them. */
export interface Databases {
  readonly monolith: string;
  readonly imageApi: string;
}

/**
 * What `make up` runs, in the order of starting; it stops in the opposite order, so that the router goes first. A further service is one more
 * entry. Each gets our environment and what is named here.
 */
export function servicesOf(settings: Settings, databases: Databases, smtpUrl: string): Service[] {
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
  const node = (name: string, entry: string, port: number, env: Record<string, string>): Service => ({
    name,
    command: process.execPath,
    args: [join(root, entry)],
    env: { ...common, ...env },
    cwd: root,
    readyUrl: `${at(port)}/readyz`,
  });
  return [
    node('monolith', 'monolith/main.ts', ports.MONOLITH_PORT, {
      DATABASE_URL: databases.monolith,
      SMTP_URL: smtpUrl,
    }),
    node('image-api', 'extracted/image-api/main.ts', ports.IMAGE_API_PORT, {
      // Never the owner's: the service has a role of its own.
      DATABASE_URL: databases.imageApi,
      IMAGE_DATABASE_URL: databases.imageApi,
      SHOP_URL: at(ports.MONOLITH_PORT),
    }),
    {
      name: 'router',
      command: join(root, 'node_modules/.bin/strangler'),
      args: ['serve', '--config', settings.config],
      env: {
        ...common,
        ROUTER_HOST: process.env['ROUTER_HOST'] || host,
        FLAGS_FILE: join(dataDir, 'flags.json'),
      },
      cwd: root,
      // strangler.yaml keeps the admin port on loopback, wherever the traffic comes in.
      readyUrl: `http://127.0.0.1:${ports.ADMIN_PORT}/readyz`,
    },
  ];
}
