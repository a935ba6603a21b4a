import pg from 'pg';
import { openAmqpQueue } from '../../extracted/email-api/queue-amqp.ts';
import { openPgBossQueue } from '../../extracted/email-api/queue-pgboss.ts';

// Takes jobs and never answers: to be killed. Says so on its output when it has one.
const { AMQP_URL: url, DATABASE_URL: connectionString } = process.env;
const log = { warn: () => undefined, info: () => undefined };
const queue = url
  ? openAmqpQueue({ url, log, concurrency: 1, retrySeconds: [1] })
  : openPgBossQueue({ pool: new pg.Pool({ connectionString }), log, concurrency: 1 });
queue.start(() => {
  process.stdout.write('taken\n');
  return new Promise(() => undefined);
});
