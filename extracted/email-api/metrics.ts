import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from '@prometheus-io/client';
import type { Result } from './consumer.ts';
import type { Depth } from './queue.ts';

export interface Metrics {
  readonly registry: Registry;
  job(result: Result): void;
  /** Seconds of one conversation with the mail server, by how it ended. */
  smtp(answer: string, seconds: number): void;
  inFlight(change: 1 | -1): void;
  /** Observations that were given up, as the router was not there to take them. */
  dropped(count: number): void;
}

export interface Looks {
  /** Rejects when the queue can't be reached: then its gauges are left out rather than wrong. */
  readonly depth: () => Promise<Depth>;
  readonly isOut: () => boolean;
}

/** What operators ask of the service. The depths are asked for when metrics are. */
export function createMetrics(): Metrics & { follow(looks: Looks): void } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const jobs = new Counter({
    name: 'email_api_jobs_total',
    help: 'Jobs by what became of them: sent, repeated (sent before), compared (shadow), later, released, dead',
    labelNames: ['result'],
    registers,
  });
  const seconds = new Histogram({
    name: 'email_api_smtp_seconds',
    help: 'Time the mail server took for a mail, by its answer: taken, later, never, none',
    labelNames: ['answer'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30],
    registers,
  });
  const running = new Gauge({
    name: 'email_api_jobs_in_flight',
    help: 'Jobs that are being handled',
    registers,
  });
  const lost = new Counter({
    name: 'email_api_observations_dropped_total',
    help: 'Observations that the router was not there to take',
    registers,
  });
  return {
    registry,
    job: (result) => jobs.inc({ result }),
    smtp: (answer, time) => seconds.observe({ answer }, time),
    inFlight: (change) => running.inc(change),
    dropped: (count) => lost.inc(count),
    follow: (looks) => followDepth(registers, looks),
  };
}

function followDepth(registers: Registry[], { depth, isOut }: Looks): void {
  const out: Gauge = new Gauge({
    name: 'email_api_mail_server_out',
    help: '1 while no job is taken, as the mail server can not be reached',
    registers,
    collect: () => void out.set(isOut() ? 1 : 0),
  });
  const dead = new Gauge({ name: 'email_api_dead_letters', help: 'Jobs among the dead letters', registers });
  const oldest = new Gauge({
    name: 'email_api_oldest_job_seconds',
    help: 'Age of the oldest job that could be taken; with the queue in the database only',
    registers,
  });
  const waiting: Gauge = new Gauge({
    name: 'email_api_jobs_waiting',
    help: 'Jobs that wait to be taken, for the first time or again',
    registers,
    async collect() {
      const found = await depth().catch(() => null);
      for (const gauge of [waiting, dead, oldest]) gauge.reset();
      if (!found) return;
      waiting.set(found.waiting);
      dead.set(found.dead);
      if (found.oldestSeconds !== null) oldest.set(found.oldestSeconds);
    },
  });
}
