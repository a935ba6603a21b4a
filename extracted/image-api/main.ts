import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { Registry } from '@prometheus-io/client';
import { join } from 'node:path';
import pg from 'pg';
import { pino, type Logger } from 'pino';
import { createApp } from './app.ts';
import { openBlobLocks } from './blob-locks.ts';
import { openBlobFolder } from './blobs-file.ts';
import { openS3Blobs } from './blobs-s3.ts';
import { createBounded } from './bounded.ts';
import { createClean } from './clean.ts';
import { createClients } from './clients.ts';
import { configFrom, type Config } from './config.ts';
import { followRequests } from './drain.ts';
import { openFiles } from './files.ts';
import { askMirrored } from './mirrored.ts';
import { openOwnStore } from './own-store.ts';
import { createPictureMetrics, type PictureMetrics } from './picture-metrics.ts';
import { askProducts } from './products.ts';
import { openRegistry, reachableUrl } from './registry.ts';
import { createRender } from './render.ts';
import { openRenditionCache, type RenditionCache } from './rendition-cache.ts';
import type { RenditionSettings } from './rendition-settings.ts';
import { createRenditions } from './renditions.ts';
import { openS3Store } from './s3-store.ts';
import { checkSessions } from './session.ts';
import { allowSizes } from './sizes.ts';
import { openStore, type Store } from './store.ts';
import { createReceive, type UploadOptions } from './upload.ts';

/** Milliseconds between two looks for what uploads left that were cut off. */
const SWEEP_EVERY = 3_600_000;

/** Starts the service and returns how it ends. The shop need not be up: keys and ended sessions are asked for when they are needed. */
async function serve(config: Config, log: Logger): Promise<() => Promise<void>> {
  const pool = new pg.Pool({
    connectionString: config.databaseUrl,
    max: config.poolSize,
    statement_timeout: config.statementTimeout,
    connectionTimeoutMillis: 5000,
    application_name: 'image-api',
  });
  // The pool replaces an idle connection that broke; an error nobody hears would end the process.
  pool.on('error', (error) => log.warn({ err: error }, 'a database connection broke'));
  const { store, ...files } = openData(config, pool, log);
  const sweep = (): Promise<void> =>
    store.sweep().catch((error: unknown) => log.warn({ err: error }, 'sweeping failed; it is tried again'));
  const swept = sweep();
  // What was cut off lies in one small folder there; here all blobs are looked at, and nobody needs to wait for that.
  if (config.data === 'shared') await swept;
  const sessions = checkSessions({ shopUrl: config.shopUrl, log });
  let isDraining = false;
  const isDatabaseUp = (): Promise<boolean> =>
    pool.query('SELECT 1').then(
      () => true,
      () => false,
    );
  const server = createServer({
    requestTimeout: config.requestTimeout,
    headersTimeout: 10_000,
    keepAliveTimeout: 65_000,
  });
  const drain = followRequests(server);
  const bounded = createBounded(config.bounds);
  const registry = new Registry();
  const metrics = createPictureMetrics(registry);
  const cache = await openCache(config.renditions, metrics, log);
  metrics.observe({ bounded, cache });
  void cache?.sweep();
  const sweeping = setInterval(() => void Promise.all([sweep(), cache?.sweep()]), SWEEP_EVERY);
  const { workTime, perClient, cacheMemory, sizes, trustProxy } = config.renditions;
  const app = createApp({
    store,
    clean: createClean({ bounded, workTime }),
    renditions: createRenditions({
      render: createRender({ bounded, workTime, onMade: metrics.made }),
      cache,
      memory: cacheMemory,
      admit: createClients(perClient),
    }),
    allowSize: allowSizes(sizes),
    trustProxy,
    registry,
    metrics,
    receive: createReceive(files),
    sessions,
    mirrored: config.mirroredSql === null ? undefined : askMirrored({ pool, sql: config.mirroredSql }),
    isReady: async () => !isDraining && (await isDatabaseUp()),
    log,
  });
  server.on('request', app);
  await listen(server, config);
  const { port } = server.address() as AddressInfo;
  const services = openRegistry(config.registry, log);
  services.join('image-api', reachableUrl(config.host, port));
  log.info({ port }, 'the image-api serves');

  return async () => {
    isDraining = true;
    // Who finds us by the registry shall look elsewhere before the port is closed.
    await services.leave();
    clearInterval(sweeping);
    await drain(config.drain);
    await cache?.close();
    sessions.stop();
    await pool.end();
  };
}

/** Null when none is wanted, or when its folder can not be used: pictures are then made each time, which is no reason not to serve. */
async function openCache(
  { cacheDir, cacheBytes }: RenditionSettings,
  metrics: PictureMetrics,
  log: Logger,
): Promise<RenditionCache | null> {
  if (cacheBytes === 0) return null;
  try {
    return await openRenditionCache({
      folder: cacheDir,
      limit: cacheBytes,
      log,
      onError: metrics.cacheFailed,
      onEvicted: metrics.evicted,
    });
  } catch (error) {
    metrics.cacheFailed();
    log.warn({ err: error, folder: cacheDir }, 'there is no cache of renditions: its folder can not be used');
    return null;
  }
}

function openData(
  config: Config,
  pool: pg.Pool,
  log: Logger,
): { store: Store } & Pick<UploadOptions, 'incoming' | 'destination'> {
  const { data, blobDir, bucket, stale, shopUrl } = config;
  if (data === 'own') {
    const onAway = (error: Error): void => log.warn({ err: error }, 'the bucket of the pictures is away');
    const blobs = bucket
      ? openS3Blobs({
          store: openS3Store(bucket, config.s3, onAway),
          locks: openBlobLocks(pool),
          incoming: join(blobDir, 'incoming'),
          grace: stale,
        })
      : openBlobFolder(blobDir, stale);
    return {
      store: openOwnStore({ pool, blobs, products: askProducts({ shopUrl }) }),
      incoming: blobs.incoming,
      destination: blobs.destination,
    };
  }
  const files = openFiles(blobDir, stale);
  return { store: openStore(pool, files), incoming: files.incoming };
}

async function listen(server: Server, { host, port }: Config): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    throw isTaken ? new Error(`port ${port} is taken; set IMAGE_API_PORT to another`) : error;
  }
}

/** Ends the start with a sentence, not with a stack. */
function fail(error: unknown): never {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exit(2);
}

// Uploads pass through in pieces that are not in V8's heap but counted by it. In a young space of 16 MB, the preset, they grow old before they are found dead, and for
// each 64 MB of them all of the heap is looked through: a fifth of what an upload costs.
setFlagsFromString('--scavenger-max-new-space-capacity-mb=1');

let config: Config;
try {
  config = configFrom(process.env);
} catch (error) {
  fail(error);
}
const log = pino({ name: 'image-api', level: config.logLevel });
const stop = await serve(config, log).catch((error: unknown) => {
  log.fatal((error as Error).message);
  process.exit(1);
});
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => void stop().then(() => process.exit(0)));
