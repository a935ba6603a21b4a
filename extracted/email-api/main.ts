import pg from 'pg';
import { pino, type Logger } from 'pino';
import { configFrom, type Config } from './config.ts';
import { createConsumer } from './consumer.ts';
import { openInbox } from './inbox.ts';
import { createMetrics } from './metrics.ts';
import { reportTo } from './observations.ts';
import { watchOutage } from './outage.ts';
import { openPort } from './port.ts';
import { openAmqpQueue } from './queue-amqp.ts';
import { openPgBossQueue } from './queue-pgboss.ts';
import { openRegistry, reachableUrl } from './registry.ts';
import { openSmtp } from './smtp.ts';

/** Milliseconds between two rounds of forgetting. */
const FORGET_EVERY = 3_600_000;

/** Starts the service and returns how it ends. Nothing it needs must be up: it waits for the database, the broker and the mail server, however long. */
async function serve(config: Config, log: Logger): Promise<() => Promise<void>> {
  const { concurrency } = config;
  const pool = new pg.Pool({
    connectionString: config.databaseUrl,
    // One for each mail under way, twice that for a moment after the broker was lost, and some for the queue and the probes.
    max: 2 * concurrency + 4,
    statement_timeout: 10_000,
    // Longer than a mail may take; the lock of a machine that vanished ends with it.
    idle_in_transaction_session_timeout: config.sendTimeout + 30_000,
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    application_name: 'email-api',
  });
  // The pool replaces an idle connection that broke; an error nobody hears would end the process.
  pool.on('error', (error) => log.warn({ err: error }, 'a database connection broke'));
  const giveUp = new AbortController();
  const metrics = createMetrics();
  const services = openRegistry(config.registry, log);
  const smtp = openSmtp({
    urlNow: services.find(config.smtpUrl),
    concurrency,
    timeout: config.sendTimeout,
  });
  const inbox = openInbox({ pool, log, giveUp: giveUp.signal });
  const observations = reportTo({ ...config, log, dropped: metrics.dropped });
  const queue =
    config.amqpUrl === null
      ? openPgBossQueue({ pool, log, concurrency, poll: config.poll })
      : openAmqpQueue({ url: config.amqpUrl, log, concurrency, retrySeconds: config.retrySeconds });
  const outage = watchOutage({
    isUp: smtp.isUp,
    pause: () => queue.pause(),
    resume: () => queue.resume(),
    log,
  });
  metrics.follow({ depth: queue.depth, isOut: outage.isKnown });
  let isDraining = false;
  const missing = async (): Promise<string | null> => {
    if (isDraining) return 'it is ending';
    if (!queue.isUp()) return 'the queue can not be reached';
    const isThere = await pool.query('SELECT FROM email_api.inbox LIMIT 1').then(
      () => true,
      () => false,
    );
    return isThere ? null : 'the inbox can not be reached';
  };
  const port = await openPort({ ...config, registry: metrics.registry, missing });
  services.join('email-api', reachableUrl(config.host, port.number));
  queue.start(createConsumer({ ...config, inbox, smtp, outage, observations, metrics, log }));
  const forget = (): Promise<unknown> =>
    inbox
      .forget(config.inboxDays)
      .catch((error: unknown) => log.warn({ err: error }, 'the inbox could not forget; it is tried again'));
  void forget();
  const forgetting = setInterval(() => void forget(), FORGET_EVERY);
  log.info(
    { port: port.number, queue: config.amqpUrl === null ? 'pg-boss' : 'amqp' },
    'the email-api serves',
  );

  return async () => {
    isDraining = true;
    await services.leave();
    clearInterval(forgetting);
    outage.stop();
    // What takes longer comes back by itself, to another process.
    const cut = setTimeout(() => {
      giveUp.abort();
      log.warn('mails under way took too long; they come back');
      process.exit(0);
    }, config.drain);
    await queue.stop();
    await observations.stop();
    smtp.close();
    await port.close();
    await pool.end();
    clearTimeout(cut);
  };
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
const log = pino({ name: 'email-api', level: config.logLevel });
const stop = await serve(config, log).catch((error: unknown) => {
  log.fatal((error as Error).message);
  process.exit(1);
});
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => void stop().then(() => process.exit(0)));
