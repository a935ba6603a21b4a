import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isAlive } from '../alive.ts';

/** Text of a file, or the sentence that says why it can't be read. */
export type FileText = { readonly text: string } | { readonly missing: string };

export function readText(path: string): FileText {
  try {
    return { text: readFileSync(path, 'utf8') };
  } catch (error) {
    return {
      missing: `can't be read: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message}`,
    };
  }
}

/**
 * Calls back when the file behind a path may have changed. It polls, because change events are lost when a directory is swapped
 * through a symlink (as Kubernetes does with a ConfigMap) and on network file systems; a stat four times a second costs nothing.
 */
export function watchPath(path: string, changed: () => void, everyMilliseconds = 250): { close(): void } {
  let last = signature(path);
  const timer = setInterval(() => {
    const now = signature(path);
    if (now === last) return;
    last = now;
    changed();
  }, everyMilliseconds);
  return { close: () => clearInterval(timer) };
}

function signature(path: string): string {
  try {
    const stat = statSync(path, { bigint: true });
    return `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable';
  }
}

/** Writes a file so that a crash leaves the old text or the new, whole and on the disk. A symlink is followed, its target replaced. */
export function replaceFile(path: string, text: string, mode?: number): void {
  const target = statSync(path, { throwIfNoEntry: false }) ? realpathSync(path) : path;
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeSync(file, text);
    fchmodSync(file, mode ?? statSync(target, { throwIfNoEntry: false })?.mode ?? 0o644);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, target);
  const directory = openSync(dirname(target), 'r');
  fsyncSync(directory);
  closeSync(directory);
}

/**
 * Replaces the text `before` by `after`; false when the file holds something else by now. Routers on one file exclude each other by a
 * lock file beside it, whose dead owner is found out by its pid; an editor's save is not excluded, only noticed.
 */
export function compareAndSwap(path: string, before: string, after: string): boolean {
  const lock = `${realpathSync(path)}.lock`;
  if (!acquire(lock)) return false;
  try {
    if (readFileSync(path, 'utf8') !== before) return false;
    replaceFile(path, after);
    return true;
  } finally {
    unlinkSync(lock);
  }
}

function acquire(lock: string): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const held = readText(lock);
      const owner = 'text' in held ? Number(held.text) : 0;
      // A lock of our own pid is from an earlier life: in a container every life has pid 1, and here changes wait for each other.
      if (owner > 0 && owner !== process.pid && isAlive(owner)) return false;
      // Its owner died between taking and releasing. Two routers may both come here; the exclusive create above picks one.
      rmIfThere(lock);
    }
  }
  return false;
}

function rmIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
