import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stateFolder } from '../config/state.ts';
import { configArgument } from './inside.ts';

/** A process of the router's own, as its parent sees it. */
export interface Child<To, From> {
  readonly name: string;
  readonly pid: number;
  /** Milliseconds since it was started. */
  age(): number;
  /** Does nothing when it has ended. */
  send(message: To): void;
  onMessage(listener: (message: From) => void): void;
  /** Resolves when it has ended and everything it said was heard: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(): void;
}

/** Number under which a child finds the listening socket. */
export const SOCKET_FD = 3;

/** Forks an entry file of this folder. What it writes goes where ours goes; `fd` is a socket it inherits as number SOCKET_FD. */
export function startChild<To extends object, From extends object>(
  entry: string,
  name: string,
  args: readonly string[],
  options: { readonly env: Readonly<Record<string, string | undefined>>; readonly fd?: number },
): Child<To, From> {
  const path = fileURLToPath(new URL(entry, import.meta.url));
  const child = fork(path, args, {
    env: { NODE_COMPILE_CACHE: compileCache(args, options.env), ...options.env },
    stdio: ['ignore', 'inherit', 'inherit', options.fd ?? 'ignore', 'ipc'],
  });
  const started = performance.now();
  const disconnected = new Promise<void>((done) => child.once('disconnect', done));
  const exited = new Promise<number | NodeJS.Signals>((done) => {
    child.once('exit', (code, signal) => done(code ?? signal ?? 1));
    // It could not be started at all: there is nothing to wait for.
    child.once('error', () => child.pid === undefined && done(1));
  });
  return {
    name,
    pid: child.pid ?? 0,
    age: () => performance.now() - started,
    send(message) {
      // It may end at any moment; that it has is dealt with where `ended` is.
      if (child.connected) child.send(message, () => undefined);
    },
    onMessage: (listener) => void child.on('message', (message) => listener(message as From)),
    ended: (async () => {
      const how = await exited;
      if (child.connected) await disconnected;
      return how;
    })(),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Where compiled modules are kept for the next start, which is a third shorter so: a worker that died is back sooner. */
function compileCache(args: readonly string[], env: Readonly<Record<string, string | undefined>>): string {
  return join(stateFolder(configArgument(args), env), 'compile-cache');
}

/** Kills a child that has not ended after so many milliseconds. */
export async function endedWithin(
  child: Pick<Child<never, never>, 'ended' | 'kill'>,
  deadline: number,
): Promise<void> {
  const timer = setTimeout(child.kill, deadline);
  await child.ended;
  clearTimeout(timer);
}
