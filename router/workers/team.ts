import type { Logger } from 'pino';
import { endedWithin, startChild, type Child } from './child.ts';
import { errorOf } from './inside.ts';
import { keepRunning } from './keep.ts';
import type { FromWorker, Report, SnapshotText, ToWorker } from './protocol.ts';

export interface TeamOptions {
  readonly configPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly count: number;
  /** Numbers of the sockets they accept from; one for each, or one for all. */
  readonly fds: readonly number[];
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
  /** Ends all at once. */
  kill(): Promise<void>;
}

type Worker = Child<ToWorker, FromWorker>;

/** What a worker may take beyond its deadline before it is killed, in milliseconds. */
const OVERTIME = 5000;

/** Starts workers, resolves when all accept, and replaces each one that ends, until drained. Rejects, with none left, when one can't start. */
export async function startTeam(options: TeamOptions): Promise<Team> {
  const { log, count, report, gone } = options;
  let { snapshot } = options;
  let isOver = false;
  const workers = new Map<string, Worker>();

  function launch(name: string, fd: number): { worker: Worker; ready: Promise<string> } {
    const worker: Worker = startChild('./worker.ts', name, [name, '--config', options.configPath], {
      ...options,
      fd,
    });
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

  const keep = (name: string, fd: number, first: Worker): Promise<void> =>
    keepRunning(first, {
      isOver: () => isOver,
      ended({ pid }, how) {
        gone(pid);
        if (!isOver) log.warn({ worker: name, pid, how }, 'a worker ended; it is replaced');
      },
      start() {
        const { worker, ready } = launch(name, fd);
        ready.catch((err: unknown) => isOver || log.error({ worker: name, err }, 'a worker could not start'));
        return worker;
      },
    });

  const fdOf = (index: number): number => options.fds[index % options.fds.length]!;
  const launched = Array.from({ length: count }, (_, index) => launch(`worker ${index + 1}`, fdOf(index)));
  const kill = async (): Promise<void> => {
    isOver = true;
    for (const worker of workers.values()) worker.kill();
    await Promise.all([...workers.values()].map(({ ended }) => ended));
  };
  let urls: string[];
  try {
    urls = await Promise.all(launched.map(({ ready }) => ready));
  } catch (error) {
    await kill();
    throw error;
  }
  const kept = launched.map(({ worker }, index) => keep(worker.name, fdOf(index), worker));
  return {
    url: urls[0]!,
    use(next) {
      snapshot = next;
      for (const worker of workers.values()) worker.send({ type: 'snapshot', snapshot });
    },
    async drain(deadline) {
      isOver = true;
      const all = [...workers.values()];
      for (const worker of all) worker.send({ type: 'drain', deadline });
      await Promise.all(all.map((worker) => endedWithin(worker, deadline + OVERTIME)));
      await Promise.all(kept);
    },
    kill,
  };
}
