import { createServer } from 'node:http';
import { Counter, Registry } from '@prometheus-io/client';
import pg from 'pg';
import { pino } from 'pino';
import { createApp } from './app.ts';
import { cleanIncoming } from './blobs.ts';
import { readConfig, type Config } from './config.ts';
import { startMail } from './mail.ts';
import { openSessions } from './sessions.ts';

const config = settings();
const log = pino({ name: 'monolith', level: config.logLevel });
const pool = new pg.Pool({
  connectionString: config.databaseUrl,
  max: config.poolSize,
  statement_timeout: config.statementTimeout,
  connectionTimeoutMillis: 5000,
  application_name: 'monolith',
});
// An idle connection that breaks is replaced by the pool; unheard, its error would end the process.
pool.on('error', (error) => log.warn({ err: error }, 'a database connection broke'));
const registry = new Registry();
const sent = new Counter({
  name: 'shop_mails_total',
  help: 'Confirmations by result',
  labelNames: ['result'],
  registers: [registry],
});
const mail = startMail({ pool, smtpUrl: config.smtpUrl, log, sent, interval: config.mailInterval });
let isDraining = false;
const app = createApp({
  pool,
  blobDir: config.blobDir,
  sessions: await openSessions(pool),
  mail,
  registry,
  isDraining: () => isDraining,
  log,
});
await cleanIncoming(config.blobDir);
const cleaning = setInterval(() => void cleanIncoming(config.blobDir), 3_600_000);

const server = createServer(
  { requestTimeout: config.requestTimeout, headersTimeout: 10_000, keepAliveTimeout: 65_000 },
  app,
);
server.on('error', (error: NodeJS.ErrnoException) => {
  log.fatal(
    error.code === 'EADDRINUSE'
      ? `port ${config.port} is taken; set MONOLITH_PORT to another`
      : error.message,
  );
  process.exit(1);
});
server.listen(config.port, config.host, () => log.info({ port: config.port }, 'the shop is open'));

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    isDraining = true;
    const cut = setTimeout(() => server.closeAllConnections(), config.drain);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(cleaning);
      void mail
        .stop()
        .then(() => pool.end())
        .then(() => process.exit(0));
    });
    server.closeIdleConnections();
  });
}

/** A wrong setting ends the start with one sentence, not with a stack. */
function settings(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
}
