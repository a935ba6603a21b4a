import { randomUUID } from 'node:crypto';
import { statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { readText } from '../flags/file.ts';
import { isAlive } from '../alive.ts';

export interface Leader {
  /** Takes or keeps the lead; true while this router has it. Called at least every few seconds. */
  lead(): boolean;
  /** Gives it up, so that the next one needs no time-out. */
  release(): void;
}

/** Milliseconds without a sign of life after which a leader is taken for dead although its process id lives (in another container, say). */
export const SILENCE = 15_000;

/**
 * One leader among the routers that share a state folder: who made the lock file and touches it. It holds the process id and a name that is never given
 * twice, for process ids are, and in containers everybody has the same. Two may both find a dead leader and both follow it: the exclusive
 * create picks one, and who finds another's name in the file has lost the lead. What they might do in between is kept apart by If-Match.
 */
export function createLeader(path: string, now: () => number, alive = isAlive): Leader {
  const me = `${process.pid} ${randomUUID()}`;

  function isHeld(): boolean {
    const held = readText(path);
    const age = now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    const owner = 'text' in held ? Number(held.text.split(' ')[0]) : 0;
    // A lock of our own pid is from an earlier life, or of another container: only its silence tells.
    const isGone = owner !== process.pid && !(owner > 0 && alive(owner));
    return age < SILENCE && !isGone;
  }

  function giveSign(): void {
    const seconds = now() / 1000;
    utimesSync(path, seconds, seconds);
  }

  return {
    lead() {
      const held = readText(path);
      if ('text' in held && held.text === me) {
        giveSign();
        return true;
      }
      if ('text' in held) {
        if (isHeld()) return false;
        unlinkIfThere(path);
      }
      try {
        writeFileSync(path, me, { flag: 'wx', mode: 0o600 });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
        throw error;
      }
      giveSign();
      return true;
    },
    release() {
      const held = readText(path);
      if ('text' in held && held.text === me) unlinkIfThere(path);
    },
  };
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
