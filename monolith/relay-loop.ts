import { setTimeout as wait } from 'node:timers/promises';
import type { Counter } from '@prometheus-io/client';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Broker } from './broker.ts';
import { drainOutbox } from './outbox.ts';

export interface RelayOptions {
  readonly pool: pg.Pool;
  readonly broker: Broker;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly published: Pick<Counter<'result'>, 'inc'>;
  /** Milliseconds between two looks into an outbox that was empty. */
  readonly pollEvery: number;
  /** Jobs that are under way at once, at most. */
  readonly batch: number;
  /** Finishes what is under way, then ends. */
  readonly stop: AbortSignal;
}

/** Milliseconds until the next try after the first failure, and the most it grows to: a broker that is back is used within about that. */
const PAUSE = { first: 50, longest: 2000 };

/**
 * Brings the jobs of the outbox to the broker until it is stopped: connect, take, publish, wait for the confirmations, remove. Whatever fails is tried again
 * after a pause that doubles, as one never knows whether it was the broker, the network or the database. A job whose confirmation got lost is published
 * twice, with the same Message-ID, by which the email-api knows it.
 *
 * It looks for jobs again and again rather than listen to NOTIFY, whose commits wait for each other, those of the orders too.
 */
export async function relay(options: RelayOptions): Promise<void> {
  const { pool, broker, log, published, pollEvery, batch, stop } = options;
  let failures = 0;
  const told = (fault: unknown): void => {
    if (failures === 0)
      log.warn({ err: fault }, 'mail jobs can not be published now; they wait in the outbox');
    failures += 1;
  };
  while (!stop.aborted) {
    let pause = pollEvery;
    try {
      await broker.connect();
      const { found, removed } = await drainOutbox(pool, batch, (jobs) => broker.publish(jobs));
      if (removed > 0) published.inc({ result: 'confirmed' }, removed);
      if (removed < found) {
        published.inc({ result: 'not confirmed' }, found - removed);
        told(new Error(`the broker did not confirm ${found - removed} of ${found} jobs`));
      } else {
        if (failures > 0) log.info({ failures }, 'mail jobs are published again');
        failures = 0;
        // Where a full batch was, there may be more.
        if (found === batch) pause = 0;
      }
    } catch (error) {
      told(error);
      await broker.drop();
    }
    if (failures > 0) pause = Math.min(PAUSE.longest, PAUSE.first * 2 ** Math.min(failures, 10));
    if (pause > 0) await wait(pause, undefined, { signal: stop }).catch(() => undefined);
  }
  await broker.drop();
}
