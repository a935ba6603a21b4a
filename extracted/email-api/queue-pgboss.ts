import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { Job as Claim, PgBoss } from 'pg-boss';
import { openPgBoss, prepareQueues } from './pgboss.ts';
import { MAIL, DEAD, verdictOf, type Depth, type Handle, type Queue } from './queue.ts';
import { settle } from './settle-pgboss.ts';
import { createSlots } from './slots.ts';

export interface PgBossQueueOptions {
  readonly pool: pg.Pool;
  readonly log: { warn(fields: object, text: string): void; info(fields: object, text: string): void };
  readonly concurrency: number;
  /** Milliseconds between two looks into an empty queue. Default 200. */
  readonly poll?: number;
}

/** Milliseconds between two signs of life, and between two looks for jobs whose process gives none. */
const TOUCH_EVERY = 2500;
const SUPERVISE_EVERY = 2000;
/** Milliseconds after an error of the database, at first and at most. */
const PAUSE = { least: 250, most: 5000 };

const DEPTH = `
  SELECT count(*) FILTER (WHERE name = '${MAIL}')::int AS waiting, count(*) FILTER (WHERE name = '${DEAD}')::int AS dead,
    extract(epoch FROM now() - min(created_on) FILTER (WHERE name = '${MAIL}' AND start_after <= now()))::float8 AS oldest
  FROM pgboss.job WHERE name IN ('${MAIL}', '${DEAD}') AND state < 'active'`;

/**
 * The queue in the database. Jobs are fetched as there is room for them, by one loop: pg-boss's own workers look at most twice a second, each for itself. Everything else is pg-boss's:
 * what a job is, who has it, when it comes back.
 */
export function openPgBossQueue({ pool, log, concurrency, poll = 200 }: PgBossQueueOptions): Queue {
  const slots = createSlots(concurrency, (error) =>
    log.warn({ err: error }, 'a verdict could not be written down; the job comes back by itself'),
  );
  const claims = new Set<Claim>();
  const stopped = new AbortController();
  const { signal } = stopped;
  let boss: PgBoss | null = null;
  let isUp = false;
  let isPaused = false;
  let running: Promise<unknown> | null = null;

  const sleep = (milliseconds: number): Promise<void> =>
    wait(milliseconds, undefined, { signal }).catch(() => undefined);

  /** Runs a step again and again until the end. One that fails is run again later, and says so once. */
  async function repeat(every: () => number, what: string, step: () => Promise<void>): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await step();
        if (failures > 0) log.info({}, `${what}: works again`);
        failures = 0;
        await sleep(every());
      } catch (error) {
        if (failures === 0) log.warn({ err: error }, `${what}: failed; it is tried again`);
        await sleep(Math.min(PAUSE.least * 2 ** failures, PAUSE.most));
        failures += 1;
      }
    }
  }

  async function open(): Promise<PgBoss> {
    if (boss) return boss;
    const opened = await openPgBoss(pool, log);
    await prepareQueues(opened, pool);
    return (boss = opened);
  }

  async function take(handle: Handle): Promise<boolean> {
    try {
      const from = await open();
      await slots.room();
      if (isPaused || signal.aborted) return false;
      const found = await from.fetch<object>(MAIL, { batchSize: slots.free });
      isUp = true;
      for (const claim of found) slots.run(() => run(from, handle, claim));
      return found.length > 0;
    } catch (error) {
      isUp = false;
      throw error;
    }
  }

  async function run(from: PgBoss, handle: Handle, claim: Claim): Promise<void> {
    claims.add(claim);
    const { id, data, retryCount } = claim;
    const verdict = await verdictOf(handle, { name: id, body: data, attempt: retryCount + 1 });
    claims.delete(claim);
    await settle({ pool, boss: from }, claim, verdict);
  }

  return {
    start(handle) {
      let foundSome = false;
      running = Promise.all([
        repeat(
          () => (foundSome ? 0 : poll),
          'taking jobs',
          async () => void (foundSome = await take(handle)),
        ),
        repeat(
          () => SUPERVISE_EVERY,
          'looking for expired jobs',
          async () => void (await boss?.supervise(MAIL)),
        ),
      ]);
      // Not by `repeat`: those under way after `stop` show life too.
      const touching = setInterval(() => {
        if (claims.size > 0) boss?.touch(MAIL, [...claims]).catch(() => undefined);
      }, TOUCH_EVERY);
      void running.then(() => slots.empty()).then(() => clearInterval(touching));
    },
    pause: () => void (isPaused = true),
    resume: () => void (isPaused = false),
    isUp: () => isUp,
    async depth() {
      const { rows } = await pool.query<{ waiting: number; dead: number; oldest: number | null }>(DEPTH);
      const { waiting, dead, oldest } = rows[0]!;
      return { waiting, dead, oldestSeconds: oldest ?? 0 } satisfies Depth;
    },
    async stop() {
      stopped.abort();
      await running;
      await slots.empty();
      await boss?.stop({ graceful: false, close: false });
    },
  };
}
