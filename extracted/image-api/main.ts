import { createServer } from 'node:http';
import pg from 'pg';
import { pino } from 'pino';
import { createApp } from './app.ts';
import { configFrom } from './config.ts';
import { checkSessions } from './session.ts';
import { openStore } from './store.ts';

/** Milliseconds that requests in flight have after SIGTERM. */
const DRAIN = 20_000;
const SWEEP_EVERY = 3_600_000;

const config = configFrom(process.env);
const log = pino({ name: 'image-api', level: config.logLevel });
const pool = new pg.Pool({
  connectionString: config.databaseUrl,
  max: 20,
  connectionTimeoutMillis: 5000,
  application_name: 'image-api',
});
// The pool replaces an idle connection that broke; an error nobody hears would end the process.
pool.on('error', (error) => log.warn({ err: error }, 'a database connection broke'));
const store = openStore(pool, config.blobDir);
await store.sweep();
const sweeping = setInterval(
  () => void store.sweep().catch((error: unknown) => log.warn({ err: error }, 'sweeping failed')),
  SWEEP_EVERY,
);
const sessions = checkSessions({ shopUrl: config.shopUrl, log });

let isDraining = false;
const isReady = async (): Promise<boolean> =>
  !isDraining &&
  (await pool.query('SELECT 1').then(
    () => true,
    () => false,
  ));
const server = createServer(
  { requestTimeout: 300_000, headersTimeout: 10_000, keepAliveTimeout: 65_000 },
  createApp({ store, sessions, isReady, log }),
);
server.on('error', (error: NodeJS.ErrnoException) => {
  log.fatal(
    error.code === 'EADDRINUSE'
      ? `port ${config.port} is taken; set IMAGE_API_PORT to another`
      : error.message,
  );
  process.exit(1);
});
server.listen(config.port, config.host, () => log.info({ port: config.port }, 'the image-api serves'));

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    isDraining = true;
    sessions.stop();
    clearInterval(sweeping);
    const cut = setTimeout(() => server.closeAllConnections(), DRAIN);
    server.close(() => {
      clearTimeout(cut);
      void pool.end().then(() => process.exit(0));
    });
    server.closeIdleConnections();
  });
}
