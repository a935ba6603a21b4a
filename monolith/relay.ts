import { createServer, type Server } from 'node:http';
import { Counter, Gauge, Registry, collectDefaultMetrics } from '@prometheus-io/client';
import pg from 'pg';
import { pino } from 'pino';
import { openBroker } from './broker.ts';
import { readRelayConfig, type RelayConfig } from './config.ts';
import { waitingIn } from './outbox.ts';
import { relay } from './relay-loop.ts';

/*
 * The relay: a process that brings mail jobs from the shop's outbox to RabbitMQ. Several may run at once; without any, orders go on and jobs wait.
 * SIGTERM finishes the batch that is under way and ends; what is left is the next relay's.
 */

const config = settings();
const log = pino({ name: 'relay', level: config.logLevel });
const pool = new pg.Pool({
  connectionString: config.databaseUrl,
  max: 2,
  connectionTimeoutMillis: 5000,
  // Longer than the confirmations of a batch may take: a relay that hangs must not keep its rows from the others.
  idle_in_transaction_session_timeout: 30_000,
  application_name: 'relay',
});
// An idle connection that breaks is replaced by the pool; unheard, its error would end the process.
pool.on('error', (error) => log.warn({ err: error }, 'a database connection broke'));
const registry = new Registry();
collectDefaultMetrics({ register: registry });
const published = new Counter({
  name: 'relay_jobs_total',
  help: 'Mail jobs by what the broker said',
  labelNames: ['result'],
  registers: [registry],
});
const broker = openBroker({ url: config.amqpUrl });
const waiting = new Gauge({
  name: 'relay_waiting_jobs',
  help: 'Mail jobs in the outbox',
  registers: [registry],
});
const oldest = new Gauge({
  name: 'relay_oldest_job_seconds',
  help: 'For how long the oldest of them waits',
  registers: [registry],
});

const stopping = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
const probes = config.port === null ? null : openProbes(config.port);
log.info({ port: config.port }, 'the relay is at work');
await relay({ ...config, pool, broker, log, published, stop: stopping.signal });
probes?.close();
probes?.closeAllConnections();
await pool.end();
process.exit(0);

function openProbes(port: number): Server {
  const server = createServer(async ({ url }, response) => {
    if (url === '/metrics') {
      // A database that is away leaves the other figures readable.
      const found = await waitingIn(pool).catch(() => ({ jobs: Number.NaN, seconds: Number.NaN }));
      waiting.set(found.jobs);
      oldest.set(found.seconds);
      response.setHeader('content-type', registry.contentType);
      return void response.end(await registry.metrics());
    }
    const isReady = url === '/readyz' && broker.isConnected() && !stopping.signal.aborted;
    const isKnown = url === '/livez' || url === '/readyz';
    response.statusCode = !isKnown ? 404 : url === '/livez' || isReady ? 200 : 503;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ status: response.statusCode === 200 ? 'well' : 'not ready' }));
  });
  server.on('error', (error: NodeJS.ErrnoException) => {
    log.fatal(
      error.code === 'EADDRINUSE' ? `port ${port} is taken; set RELAY_PORT to another` : error.message,
    );
    process.exit(1);
  });
  return server.listen(port, config.host);
}

/** A wrong setting ends the start with one sentence, not with a stack. */
function settings(): RelayConfig {
  try {
    return readRelayConfig(process.env);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
}
