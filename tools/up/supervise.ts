import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { spawnTethered } from '../tethered.ts';

export interface Service {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Answers 200 when the service can be used. Null: nobody asks it anything, and when it ends with exit code 0 its work is done. */
  readonly readyUrl: string | null;
}

export interface SupervisorOptions {
  /** Gets every line the service writes, and ours about it. */
  readonly log: (service: string, line: string) => void;
  /** Aborted when the whole is to end: a start that is under way is given up. */
  readonly cancel: AbortSignal;
  /** Aborted when nobody wants to wait any more: what still runs is killed. */
  readonly hurry: AbortSignal;
  /** Milliseconds until a service must be ready the first time. Default 60,000. */
  readonly startDeadline?: number;
  /** Milliseconds for draining after SIGTERM, then it is killed. Default 15,000. */
  readonly stopDeadline?: number;
}

export interface Supervised {
  /** Process number now; undefined while it is down. */
  pid(): number | undefined;
  /** Resolves when no process is left and none will be started. */
  stop(): Promise<void>;
}

/** A service that stayed up this long (ms) had an accident and is started again at once; below it waits more each time. */
const STABLE = 5000;
/** The longest wait (ms) before a new start: with the start itself, a service is back within about a second. */
const LONGEST_PAUSE = 500;
/** As often a service may end before it was ever ready; then its fault is a lasting one. */
const FIRST_TRIES = 3;

/**
 * Starts a service, resolves when it is ready, and starts it again whenever it ends, until stopped. Rejects, with no process left, when it never
 * becomes ready.
 */
export async function supervise(service: Service, options: SupervisorOptions): Promise<Supervised> {
  const { log, cancel, hurry, startDeadline = 60_000, stopDeadline = 15_000 } = options;
  const { name } = service;
  const stopping = new AbortController();
  let child: ChildProcess | undefined;
  let wasReady = false;
  let starts = 0;

  async function keepUp(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted;) {
      const started = Date.now();
      starts += 1;
      child = launch(service, log);
      const how = await ended(child);
      child = undefined;
      if (stopping.signal.aborted) return;
      if (service.readyUrl === null && how === 'exit code 0') {
        log(name, 'has done its work');
        return;
      }
      if (!wasReady && starts >= FIRST_TRIES) return;
      failures = Date.now() - started > STABLE ? 0 : failures + 1;
      log(name, `ended (${how}); starting it again`);
      const pause = failures < 2 ? 0 : Math.min(LONGEST_PAUSE, 50 * 2 ** failures);
      await wait(pause, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }
  const up = keepUp();

  async function stop(): Promise<void> {
    stopping.abort();
    child?.kill('SIGTERM');
    const kill = (): void => void child?.kill('SIGKILL');
    const timer = setTimeout(() => {
      log(name, `did not end within ${stopDeadline} ms of SIGTERM and is killed`);
      kill();
    }, stopDeadline);
    hurry.addEventListener('abort', kill);
    if (hurry.aborted) kill();
    await up;
    clearTimeout(timer);
    hurry.removeEventListener('abort', kill);
  }

  wasReady = service.readyUrl === null || (await untilReady(service.readyUrl, startDeadline, up, cancel));
  if (!wasReady) {
    const fault = child ? `was not ready after ${startDeadline} ms` : `ended ${starts} times`;
    await stop();
    cancel.throwIfAborted();
    throw new Error(`${name} ${fault}; what it said stands above`);
  }
  return { pid: () => child?.pid, stop };
}

function launch({ name, command, args, env, cwd }: Service, log: SupervisorOptions['log']): ChildProcess {
  const child = spawnTethered(command, args, {
    cwd,
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C reaches a whole process group; in a session of its own a service ends when it is told to, in order.
    detached: true,
    // Nobody is left to drain for, and ports that stay taken would be in the way of the next start.
    endSignal: 'SIGKILL',
  });
  for (const stream of [child.stdout!, child.stderr!])
    createInterface({ input: stream }).on('line', (line) => log(name, line));
  return child;
}

async function ended(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return signal ?? `exit code ${code}`;
  } catch (error) {
    return (error as Error).message;
  }
}

async function untilReady(
  url: string,
  deadline: number,
  down: Promise<void>,
  cancel: AbortSignal,
): Promise<boolean> {
  const given = new AbortController();
  void down.then(() => given.abort());
  const over = AbortSignal.any([given.signal, cancel, AbortSignal.timeout(deadline)]);
  for (; !over.aborted; await wait(50)) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
      await response.body?.cancel();
      if (response.ok) return true;
    } catch {
      // Not listening yet.
    }
  }
  return false;
}
