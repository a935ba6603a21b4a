import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from './flags/file.ts';
import { isAlive } from './alive.ts';

export interface Listeners {
  /** Whether a living process of another router on this state folder accepts on our port: then the port is ours to share. */
  others(): boolean;
  /** The same at the time when this process began: whom it follows may have ended since, and not yet left its other ports. */
  readonly followed: boolean;
  /** Says that this process accepts on a port: the one that was really taken. */
  announce(port: number): void;
  /** It does so no longer. */
  withdraw(): void;
}

export interface ListenersOptions {
  readonly stateDir: string;
  /** Pid of the outermost process of this router: its processes are not others to each other. */
  readonly router: number;
  /** As configured; port 0 is any that is free, so shared with nobody. */
  readonly listen: { readonly host: string; readonly port: number };
}

/**
 * Who accepts on the traffic port. Two routers may share one for the moment in which one follows the other; a stranger on the port is a fault. Processes are
 * named in files of the state folder by pid and start time, so a pid that a later process was given, or the same pid in the next life of a container, is
 * never taken for the old one, and nothing has to be cleaned up after a crash.
 */
export function createListeners({ stateDir, router, listen }: ListenersOptions): Listeners {
  const folder = join(stateDir, 'listeners');
  const own = join(folder, String(process.pid));
  /** Ours, as soon as it is known. */
  let { port } = listen;
  mkdirSync(folder, { recursive: true, mode: 0o700 });

  function isOther(name: string): boolean {
    const found = readText(join(folder, name));
    if ('missing' in found) return false;
    const [pid = '', start, theirs, at] = found.text.split(' ');
    if (identityOf(Number(pid)) !== `${pid} ${start}`) {
      rmSync(join(folder, name), { force: true });
      return false;
    }
    return Number(theirs) !== router && at === `${listen.host}:${port}`;
  }

  const others = (): boolean =>
    port !== 0 &&
    readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .some(isOther);

  return {
    others,
    followed: others(),
    announce(taken) {
      port = taken;
      const temporary = `${own}.tmp`;
      writeFileSync(temporary, `${identityOf(process.pid)} ${router} ${listen.host}:${port}`, {
        mode: 0o600,
      });
      renameSync(temporary, own);
    },
    withdraw: () => rmSync(own, { force: true }),
  };
}

/** How often the state folder is looked at, in milliseconds. */
const LOOK = 50;

/** Calls back, once, when another router carries the traffic of our port. */
export function whenOthers(listeners: Pick<Listeners, 'others'>, found: () => void): { close(): void } {
  const timer = setInterval(() => {
    if (!listeners.others()) return;
    clearInterval(timer);
    found();
  }, LOOK);
  return { close: () => clearInterval(timer) };
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
