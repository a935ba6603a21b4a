import { createServer, type ServerResponse } from 'node:http';
import { Counter, Registry } from '@prometheus-io/client';
import pg from 'pg';
import { pino } from 'pino';
import { createApp } from './app.ts';
import { readConfig, type Config } from './config.ts';
import { cleanUploads } from './images-store.ts';
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
const clean = (): Promise<void> =>
  cleanUploads({ pool, blobDir: config.blobDir }).catch((error: unknown) =>
    log.warn({ err: error }, 'uploads that were cut off could not be cleared up'),
  );
await clean();
const cleaning = setInterval(() => void clean(), 3_600_000);

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
/** Answers that are under way. */
const underWay = new Set<ServerResponse>();
server.on('request', (_request, response: ServerResponse) => {
  underWay.add(response);
  response.on('close', () => underWay.delete(response));
});
server.listen(config.port, config.host, () => log.info({ port: config.port }, 'the shop is open'));

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    isDraining = true;
    // With a connection that stays open, the end would wait for clients that may well have nothing more to say.
    for (const response of underWay) if (!response.headersSent) response.setHeader('connection', 'close');
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
