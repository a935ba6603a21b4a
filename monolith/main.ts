import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Registry } from '@prometheus-io/client';
import pg from 'pg';
import { pino } from 'pino';
import { appToken } from './app-token.ts';
import { createApp } from './app.ts';
import { readConfig, type Config } from './config.ts';
import { cleanUploads } from './images-store.ts';
import { openFlags } from './flags.ts';
import { startMail, type MailOptions } from './mail.ts';
import { askMirrored } from './mirrored.ts';
import { openReporter, type Reporter } from './observations.ts';
import { openOutbox } from './outbox.ts';
import { askPictures } from './pictures-elsewhere.ts';
import type { MailQueue } from './queue.ts';
import { openRegistry, reachableUrl } from './registry.ts';
import { openSessions } from './sessions.ts';

/** Milliseconds that the mail under way and the last observations have, after the last request. */
const FAREWELL = 10_000;

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
const services = openRegistry(config.registry, log);
const seam = config.flagsUrl === null ? null : await openSeam(config.flagsUrl);
const mail = startMail({
  pool,
  smtpUrl: services.find(config.smtpUrl),
  log,
  sent,
  interval: config.mailInterval,
  ...(seam && { seam }),
});
let isDraining = false;
const app = createApp({
  pool,
  blobDir: config.blobDir,
  sessions: await openSessions(pool),
  mail,
  registry,
  isDraining: () => isDraining,
  log,
  mirrored: config.mirroredSql === null ? undefined : askMirrored(pool, config.mirroredSql),
  withPictures: config.picturesUrl === null ? undefined : askPictures(services.find(config.picturesUrl)),
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
server.listen(config.port, config.host, () => {
  const { port } = server.address() as AddressInfo;
  services.join('monolith', reachableUrl(config.host, port));
  log.info({ port }, 'the shop is open');
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    isDraining = true;
    // Who finds us by the registry shall look elsewhere before the port is closed.
    void services.leave().then(drain);
  });
}

function drain(): void {
  // With a connection that stays open, the end would wait for clients that may well have nothing more to say.
  for (const response of underWay) if (!response.headersSent) response.setHeader('connection', 'close');
  const cut = setTimeout(() => server.closeAllConnections(), config.drain);
  server.close(() => {
    clearTimeout(cut);
    clearInterval(cleaning);
    // A mail server that hangs is not waited for: its mail is the next process's.
    setTimeout(() => process.exit(0), FAREWELL);
    void mail
      .stop()
      .then(() => Promise.all([seam?.reporter.stop(), seam?.queue.close()]))
      .then(() => pool.end())
      .then(() => process.exit(0));
  });
  server.closeIdleConnections();
}

/** What it takes to ask who sends a mail, and to leave it to the email-api. */
async function openSeam(
  url: string,
): Promise<Required<NonNullable<MailOptions['seam']>> & { reporter: Reporter }> {
  const token = appToken(config.appToken, config.appTokenFile);
  const decided = new Counter({
    name: 'shop_mail_senders_total',
    help: 'Orders by who was chosen to confirm them',
    labelNames: ['sender'],
    registers: [registry],
  });
  return {
    ask: openFlags({ url, token, log }),
    queue: config.hasBroker ? openOutbox() : await openQueueInDatabase(),
    reporter: openReporter({ url, feature: 'mail', token, log }),
    decided,
  };
}

/** Loaded only where it is used, and prepared only when it is not: starting is part of coming back after a crash. */
async function openQueueInDatabase(): Promise<MailQueue> {
  const { openPgBoss, prepareQueues } = await import('./pgboss.ts');
  const open = (): Promise<MailQueue> =>
    openPgBoss(pool, (error) => log.warn({ err: error }, 'the queue in the database reports a fault'));
  return open().catch(async () => {
    await prepareQueues(pool);
    return open();
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
