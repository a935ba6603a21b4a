import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Postgres processes that work in this data folder: every one has it as its working directory. Asked of /proc and not of
 * postmaster.pid, which may name a process that is long gone, whose number now belongs to somebody else, or whose backends live on.
 */
export function serversIn(data: string): number[] {
  const folder = statSync(data, { throwIfNoEntry: false });
  if (!folder) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const { dev, ino } = statSync(`/proc/${pid}/cwd`);
        // The name of a program whose file was replaced ends in " (deleted)".
        return (
          dev === folder.dev &&
          ino === folder.ino &&
          /^postgres( |$)/.test(basename(readlinkSync(`/proc/${pid}/exe`)))
        );
      } catch {
        // It ended meanwhile, or belongs to somebody else.
        return false;
      }
    })
    .map(Number);
}

/**
 * Ends what an earlier launcher left behind, and clears the lock file it can't clear any more. Fast shutdown first, which keeps the
 * next start short; what is still there after `deadline` milliseconds is killed, which costs a recovery but no committed row.
 */
export async function endStaleServers(
  data: string,
  { log, deadline = 5000 }: { log: (line: string) => void; deadline?: number },
): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    let left = serversIn(data);
    if (left.length > 0) log(`ending a Postgres that was left behind (${left.join(', ')}, ${signal})`);
    // The postmaster leads a fast shutdown; to its children SIGINT means other things. Without it they end by themselves.
    const asked = signal === 'SIGINT' ? left.filter((pid) => pid === postmasterIn(data)) : left;
    for (const pid of asked) signalIfThere(pid, signal);
    const end = Date.now() + deadline;
    while (left.length > 0 && Date.now() < end) {
      await wait(20);
      left = serversIn(data);
    }
    if (left.length > 0) continue;
    rmSync(join(data, 'postmaster.pid'), { force: true });
    return;
  }
  throw new Error(`a Postgres in ${data} can't be ended: process ${serversIn(data).join(', ')}`);
}

/** What postmaster.pid says, whether or not it is true; undefined without that file. */
export function postmasterIn(data: string): number | undefined {
  const [pid] = lockFile(data);
  return pid === undefined ? undefined : Number(pid);
}

/** Whether the server with this process number accepts connections, by its own lock file. */
export function isReady(data: string, postmaster: number): boolean {
  const [pid, , , , , , , status] = lockFile(data);
  return Number(pid) === postmaster && status?.trim() === 'ready';
}

/** Lines of postmaster.pid: number, data folder, start, port, socket folder, address, shared memory, status. */
function lockFile(data: string): string[] {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Sends a signal to a process that may end at any moment. */
export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
