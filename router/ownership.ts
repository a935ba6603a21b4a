import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readText } from './flags/file.ts';

/** How far a router is that waits for another one's end. */
export type SuccessorState = 'starting' | 'listening';

export interface Ownership {
  /** The other living process whose state folder this is; null: nobody's, or ours. */
  owner(): number | null;
  /** Whether another living router process of this folder may hold the traffic port: then it is ours to share. */
  hasListeners(): boolean;
  /** Says that this process may hold the traffic port. */
  listens(): void;
  /** Says to the owner that we wait for it. */
  announce(state: SuccessorState): void;
  /** Resolves when the folder is ours. Throws OwnedByOther after `deadline` milliseconds, the reason of `cancel` when aborted. */
  take(deadline: number, cancel?: AbortSignal): Promise<void>;
  /** What of another living process waits for us to end; null: nobody does. */
  successor(): SuccessorState | null;
  /** Leaves the folder to the one that waits; the traffic port may still be ours. */
  handOver(): void;
  /** Leaves the folder and the port to whoever comes next. */
  release(): void;
}

/** Code of the error that says so, also after it has travelled from a child. */
export const OWNED_BY_OTHER = 'OWNED_BY_OTHER';

/** The state folder stays another router's. */
export class OwnedByOther extends Error {
  readonly code = OWNED_BY_OTHER;
  constructor(pid: number, stateDir: string) {
    super(
      `another router (process ${pid}) keeps its state in ${stateDir}; end it (kill -TERM ${pid}), or have it replaced in place (kill -USR2) and start no second one`,
    );
  }
}

/** How often the folder is looked at while waiting, in milliseconds. */
const POLL = 50;

/**
 * Who may write in a state folder. One router at a time has the journal and the admin port; while it drains the next one may already carry traffic,
 * and waits for the rest. Processes are named in files by pid and start time, so a pid that a later process was given, or the same pid in the next
 * life of a container, is never taken for the old one. Nothing has to be cleaned up after a crash.
 */
export function createOwnership(stateDir: string): Ownership {
  const folder = join(stateDir, 'processes');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string): string => join(folder, name);
  const self = identityOf(process.pid);

  function put(name: string, text: string): void {
    const temporary = file(`.${name}.${process.pid}`);
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, file(name));
  }
  /** What a living process other than ours wrote into a file: its pid and the rest of the line. */
  function living(name: string): { pid: number; rest: string } | null {
    const found = readText(file(name));
    const [, pid, start, rest = ''] = ('text' in found && /^(\d+) (\S+)(?: (\w+))?$/.exec(found.text)) || [];
    const identity = `${pid} ${start}`;
    if (pid === undefined || identity === self || identityOf(Number(pid)) !== identity) return null;
    return { pid: Number(pid), rest };
  }
  const owner = (): number | null => living('owner')?.pid ?? null;

  return {
    owner,
    hasListeners() {
      const listeners = readdirSync(folder).filter((name) => name.startsWith('listener-'));
      const alive = listeners.filter((name) => {
        if (living(name)) return true;
        if (name !== `listener-${process.pid}`) rmSync(file(name), { force: true });
        return false;
      });
      return alive.length > 0;
    },
    listens: () => put(`listener-${process.pid}`, self),
    announce: (state) => put('successor', `${self} ${state}`),
    async take(deadline, cancel) {
      const end = performance.now() + deadline;
      for (let other = owner(); other !== null; other = owner()) {
        if (performance.now() > end) throw new OwnedByOther(other, stateDir);
        await wait(POLL);
        cancel?.throwIfAborted();
      }
      put('owner', self);
      if (isOurs('successor')) rmSync(file('successor'), { force: true });
    },
    successor: () => (living('successor')?.rest as SuccessorState | undefined) ?? null,
    handOver() {
      if (isOurs('owner')) rmSync(file('owner'), { force: true });
    },
    release() {
      for (const name of ['owner', 'successor', `listener-${process.pid}`])
        if (isOurs(name)) rmSync(file(name), { force: true });
    },
  };

  function isOurs(name: string): boolean {
    const found = readText(file(name));
    return 'text' in found && (found.text === self || found.text.startsWith(`${self} `));
  }
}

/** While a router drains: calls back, once, when another one waits for the folder. */
export function whenAsked(ownership: Ownership, handOver: () => void): { close(): void } {
  const timer = setInterval(() => {
    if (ownership.successor() === null) return;
    clearInterval(timer);
    handOver();
  }, POLL);
  return { close: () => clearInterval(timer) };
}

/** While a router drains: the port stays open as long as the next one has said that it starts and does not listen yet, at most `deadline` milliseconds. */
export async function successorListens(ownership: Ownership, deadline: number): Promise<void> {
  const end = performance.now() + deadline;
  while (ownership.successor() === 'starting' && performance.now() < end) await wait(POLL);
}

/** Pid and start time (field 22 of proc_pid_stat(5), in clock ticks since boot) of a living process; other systems have the pid alone. Empty when it is dead. */
function identityOf(pid: number): string {
  if (process.platform !== 'linux') return isAlive(pid) ? `${pid} -` : '';
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; what stands behind it is fixed, beginning with field 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : `${pid} ${fields[19]}`;
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
