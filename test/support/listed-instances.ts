import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface ListedInstance {
  readonly port: number;
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
}

const PROGRAM = join(import.meta.dirname, 'listed-instance.ts');

/** Starts a service as a process of its own that lists itself in etcd; resolves when it listens. */
export async function startListed(etcdUrls: readonly string[], name = 'image-api'): Promise<ListedInstance> {
  const child = spawn(process.execPath, [PROGRAM, name], {
    env: { ...process.env, ETCD_URLS: etcdUrls.join() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { port: Number(line.toString()), child, exited };
}

/** Ends one for good, also when it is stopped. */
export async function endListed({ child, exited }: ListedInstance): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await exited;
}
