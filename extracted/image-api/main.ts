import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { pino, type Logger } from 'pino';
import { createApp } from './app.ts';
import { openBlobs } from './blobs.ts';
import { createBounded } from './bounded.ts';
import { configFrom, type Config } from './config.ts';
import { followRequests } from './drain.ts';
import { openFiles } from './files.ts';
import { askMirrored } from './mirrored.ts';
import { openOwnStore } from './own-store.ts';
import { askProducts } from './products.ts';
import { createRenderer } from './render.ts';
import { checkSessions } from './session.ts';
import { openStore, type Store } from './store.ts';
import { createReceive } from './upload.ts';

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
  const { store, incoming } = openData(config, pool);
  const sweep = (): Promise<void> =>
    store.sweep().catch((error: unknown) => log.warn({ err: error }, 'sweeping failed; it is tried again'));
  const swept = sweep();
  // What was cut off lies in one small folder there; here all blobs are looked at, and nobody needs to wait for that.
  if (config.data === 'shared') await swept;
  const sweeping = setInterval(() => void sweep(), SWEEP_EVERY);
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
  const app = createApp({
    store,
    renderer: createRenderer({ bounded: createBounded(config.bounds) }),
    receive: createReceive({ incoming }),
    sessions,
    mirrored: config.mirroredSql === null ? undefined : askMirrored({ pool, sql: config.mirroredSql }),
    isReady: async () => !isDraining && (await isDatabaseUp()),
    log,
  });
  server.on('request', app);
  await listen(server, config);
  log.info({ port: (server.address() as AddressInfo).port }, 'the image-api serves');

  return async () => {
    isDraining = true;
    clearInterval(sweeping);
    await drain(config.drain);
    sessions.stop();
    await pool.end();
  };
}

function openData(
  { data, blobDir, stale, shopUrl }: Config,
  pool: pg.Pool,
): { store: Store; incoming: string } {
  if (data === 'own') {
    const blobs = openBlobs(blobDir, stale);
    return {
      store: openOwnStore({ pool, blobs, products: askProducts({ shopUrl }) }),
      incoming: blobs.incoming,
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
