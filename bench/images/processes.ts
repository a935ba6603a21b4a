import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { descendantsOf } from '../../tools/processes.ts';
import { cpuOf } from '../load.ts';
import type { Load, Loaded } from './load.ts';

/** A process that answers each message with one. */
export interface Worker<In, Out> {
  readonly child: ChildProcess;
  ask(message: In): Promise<Out>;
}

/** Starts `file` beside this one and waits until it is ready. */
export async function startWorker<In, Out>(file: string): Promise<Worker<In, Out>> {
  const child = fork(join(import.meta.dirname, file));
  await once(child, 'message');
  return {
    child,
    async ask(message) {
      child.send(message as object);
      return ((await once(child, 'message')) as [Out])[0];
    },
  };
}

/** Starts `others/FILE PORT FOLDER MORE…` and waits until something listens. */
export async function startOther(
  file: string,
  port: number,
  folder: string,
  ...more: readonly string[]
): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'others', file);
  const child = spawn(process.execPath, [script, String(port), folder, ...more], {
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await untilListening(port, file);
  return child;
}

export async function untilListening(port: number, name: string): Promise<void> {
  for (const end = Date.now() + 20_000; ; await wait(50)) {
    if (
      await fetch(`http://127.0.0.1:${port}/`).then(
        () => true,
        () => false,
      )
    )
      return;
    if (Date.now() > end) throw new Error(`${name} does not serve`);
  }
}

/** Seconds that each is measured for in a round. */
export const ROUND = 1.5;

export interface Figure {
  readonly perSecond: number;
  /** Milliseconds of CPU for one, of the process and those below it. */
  readonly cpu: number;
}

/** One load at one process. Throws when anything was not answered as it should be. */
export async function under(
  load: Worker<Load, Loaded>,
  pid: number,
  what: Partial<Load> & Pick<Load, 'port' | 'paths'>,
): Promise<Figure> {
  const used = (): number => [pid, ...descendantsOf(pid)].reduce((sum, each) => sum + cpuOf(each), 0);
  const before = used();
  const { done, perSecond, failed } = await load.ask({
    method: 'GET',
    headers: {},
    body: '',
    varied: null,
    atOnce: 4,
    seconds: ROUND,
    ...what,
  });
  const cpu = (used() - before) / 1000 / done;
  if (Object.keys(failed).length > 0 || done === 0)
    throw new Error(`${what.paths[0]} at port ${what.port}: ${JSON.stringify(failed)}, ${done} done`);
  return { perSecond, cpu };
}
