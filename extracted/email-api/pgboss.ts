import type pg from 'pg';
import { PgBoss } from 'pg-boss';
import { DEAD, DELIVERY_LIMIT, MAIL } from './queue.ts';

/** Seconds that a queue keeps what nobody takes: pg-boss would drop it after 14 days, and a mail is not dropped. */
const FOR_EVER = 10 * 365 * 86_400;

/** Seconds without a sign of life after which a job is taken from whoever has it. pg-boss allows no fewer. */
const HEARTBEAT = 10;

/**
 * How jobs are kept. The consumer sets this at each start, whoever made the queue: these are rules of consuming. Where a job is inserted they are
 * copied to it, so a producer needs no options of its own.
 */
const QUEUE = {
  retryLimit: DELIVERY_LIMIT,
  // Only after a process died: a refused mail has its own pauses.
  retryDelay: 1,
  retryBackoff: true,
  retryDelayMax: 60,
  expireInSeconds: 120,
  heartbeatSeconds: HEARTBEAT,
  retentionSeconds: FOR_EVER,
  deleteAfterSeconds: 86_400,
  deadLetter: DEAD,
} as const;

/**
 * pg-boss on our pool, as a role that may not create tables. It neither migrates nor rebuilds indexes, which its owner does; expired jobs are looked for by
 * `supervise`, that every consumer calls. Rejects while the schema is not installed.
 */
export async function openPgBoss(
  pool: pg.Pool,
  log: { warn(fields: object, text: string): void },
): Promise<PgBoss> {
  const boss = new PgBoss({
    db: { executeSql: (text, values) => pool.query(text, values) },
    migrate: false,
    supervise: false,
    schedule: false,
    reindex: false,
    monitorVacuum: false,
    registerInstance: false,
    openTelemetry: { enabled: false },
    monitorIntervalSeconds: 1,
  });
  boss.on('error', (error) => log.warn({ err: error }, 'pg-boss reports an error'));
  await boss.start();
  return boss;
}

/** Makes the queues where they are missing, and sets their rules, also for jobs that were sent before. */
export async function prepareQueues(boss: PgBoss, pool: pg.Pool): Promise<void> {
  await boss.createQueue(DEAD, { retentionSeconds: FOR_EVER });
  await boss.createQueue(MAIL, QUEUE);
  await boss.updateQueue(DEAD, { retentionSeconds: FOR_EVER });
  await boss.updateQueue(MAIL, QUEUE);
  await pool.query(
    `UPDATE pgboss.job SET heartbeat_seconds = $1, expire_seconds = $2, retry_limit = $3, retry_delay = $4, retry_backoff = true, retry_delay_max = $5,
       dead_letter = '${DEAD}', keep_until = now() + make_interval(secs => $6)
     WHERE name = '${MAIL}' AND state <= 'active' AND heartbeat_seconds IS NULL`,
    [HEARTBEAT, QUEUE.expireInSeconds, DELIVERY_LIMIT, QUEUE.retryDelay, QUEUE.retryDelayMax, FOR_EVER],
  );
}
