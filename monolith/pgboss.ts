import type pg from 'pg';
import { PgBoss, type Db } from 'pg-boss';
import { refuseUnsafe } from './mail-job.ts';
import { DEAD_LETTERS, MAIL_QUEUE, type MailQueue } from './queue.ts';

/** What nobody has fetched is not to vanish; pg-boss drops it after a fortnight. All other rules are the consumer's. Seconds. */
const KEPT = { retentionSeconds: 10 * 365 * 86_400 };

/**
 * The queue of a shop without a broker: pg-boss, in the shop's own database (schema `pgboss`). This side only writes jobs; fetching, trying again and
 * clearing up are the email-api's. Rejects when schema or queue are missing, or of an older version: `prepareQueues` makes them.
 */
export async function openPgBoss(pool: pg.Pool, log: (error: Error) => void): Promise<MailQueue> {
  const boss = new PgBoss({ ...QUIET, db: sqlOf(pool), migrate: false });
  boss.on('error', log);
  await boss.start();
  if (!(await boss.getQueue(MAIL_QUEUE))) {
    await boss.stop(AT_ONCE);
    throw new Error(`pg-boss has no queue ${MAIL_QUEUE}`);
  }
  return {
    async enqueue(client, job) {
      refuseUnsafe(job);
      const id = await boss.send(MAIL_QUEUE, job, { db: sqlOf(client) });
      if (id === null) throw new Error(`the queue ${MAIL_QUEUE} took no job for ${job.id}`);
    },
    close: () => boss.stop(AT_ONCE),
  };
}

/**
 * Makes the schema of pg-boss and the queues where they are missing; harmless when they are there, and from several places at once. Needs the
 * database's owner: the email-api's role has no rights to make tables.
 */
export async function prepareQueues(pool: pg.Pool): Promise<void> {
  const boss = new PgBoss({ ...QUIET, db: sqlOf(pool) });
  boss.on('error', () => undefined);
  await boss.start();
  try {
    // Both leave a queue alone that is there.
    await boss.createQueue(DEAD_LETTERS, KEPT);
    await boss.createQueue(MAIL_QUEUE, { ...KEPT, deadLetter: DEAD_LETTERS });
  } finally {
    await boss.stop(AT_ONCE);
  }
}

/** No clock of its own, no clearing up, no row in the list of instances: a request path is no place for a supervisor. */
const QUIET = {
  supervise: false,
  schedule: false,
  registerInstance: false,
  openTelemetry: { enabled: false },
};

/** There is nothing to finish, and the connections are others'. */
const AT_ONCE = { graceful: false, close: false };

const sqlOf = (connection: pg.Pool | pg.ClientBase): Db => ({
  executeSql: (text, values) => connection.query(text, values),
});
