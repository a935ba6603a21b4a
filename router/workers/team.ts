import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { endedWithin, startChild, type Child } from './child.ts';
import { errorOf } from './inside.ts';
import type { FromWorker, Report, SnapshotText, ToWorker } from './protocol.ts';

export interface TeamOptions {
  readonly configPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly count: number;
  /** Number of the listening socket they share. */
  readonly fd: number;
  readonly snapshot: SnapshotText;
  readonly report: (name: string, pid: number, report: Report) => void;
  readonly gone: (pid: number) => void;
}

/** Workers that were started together. */
export interface Team {
  /** Of the traffic port. */
  readonly url: string;
  /** Hands a new snapshot down. */
  use(snapshot: SnapshotText): void;
  /** Resolves when all have ended: after what they have in flight, and within about `deadline` milliseconds. */
  drain(deadline: number): Promise<void>;
  kill(): void;
}

type Worker = Child<ToWorker, FromWorker>;

/** A worker that lived shorter than this (milliseconds) is not replaced at once: its fault may be a lasting one. */
const STABLE = 5000;
/** The longest pause before a worker is replaced, in milliseconds: with its start, one that had an accident is back within a second. */
const LONGEST_PAUSE = 2000;
/** What a worker may take beyond its deadline before it is killed, in milliseconds. */
const OVERTIME = 5000;

/** Starts workers, resolves when all accept, and replaces each one that ends, until drained. Rejects, with none left, when one can't start. */
export async function startTeam(options: TeamOptions): Promise<Team> {
  const { log, count, report, gone } = options;
  let { snapshot } = options;
  let isEnding = false;
  const workers = new Map<string, Worker>();

  function launch(name: string): { worker: Worker; ready: Promise<string> } {
    const worker: Worker = startChild('./worker.ts', name, [name, '--config', options.configPath], options);
    workers.set(name, worker);
    const ready = new Promise<string>((done, fail) => {
      worker.onMessage((message) => {
        if (message.type === 'ready') done(message.url);
        else if (message.type === 'report') report(name, worker.pid, message.report);
        else fail(errorOf(message));
      });
      void worker.ended.then((how) => fail(new Error(`${name} ended (${how}) before it was ready`)));
    });
    worker.send({ type: 'snapshot', snapshot });
    return { worker, ready };
  }

  async function keepUp(name: string, first: Worker): Promise<void> {
    let failures = 0;
    for (let worker = first; ;) {
      const how = await worker.ended;
      gone(worker.pid);
      if (isEnding) return;
      failures = worker.age() > STABLE ? 0 : failures + 1;
      log.warn({ worker: name, pid: worker.pid, how }, 'a worker ended; it is replaced');
      if (failures > 1) await wait(Math.min(LONGEST_PAUSE, 50 * 2 ** failures));
      if (isEnding) return;
      const next = launch(name);
      next.ready.catch((err: unknown) => log.error({ worker: name, err }, 'a worker could not start'));
      worker = next.worker;
    }
  }

  const kill = (): void => {
    isEnding = true;
    for (const worker of workers.values()) worker.kill();
  };
  const launched = Array.from({ length: count }, (_, index) => launch(`worker ${index + 1}`));
  let urls: string[];
  try {
    urls = await Promise.all(launched.map(({ ready }) => ready));
  } catch (error) {
    kill();
    await Promise.all(launched.map(({ worker }) => worker.ended));
    throw error;
  }
  const kept = launched.map(({ worker }) => keepUp(worker.name, worker));
  return {
    url: urls[0]!,
    use(next) {
      snapshot = next;
      for (const worker of workers.values()) worker.send({ type: 'snapshot', snapshot });
    },
    async drain(deadline) {
      isEnding = true;
      const all = [...workers.values()];
      for (const worker of all) worker.send({ type: 'drain', deadline });
      await Promise.all(all.map((worker) => endedWithin(worker, deadline + OVERTIME)));
      await Promise.all(kept);
    },
    kill,
  };
}
