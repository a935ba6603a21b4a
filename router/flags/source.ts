import type { Entry, Journal } from '../journal/journal.ts';
import { Problem } from '../errors.ts';
import { compareAndSwap, readText, watchPath, type FileText } from './file.ts';
import { hash } from './snapshot.ts';

/** A change of the flags that was decided and is to be made. */
export interface Swap {
  /** The text the decision was made from, and what it becomes. */
  readonly before: string;
  readonly after: string;
  /** What the journal says of it, once and only if it is made. */
  readonly entry: Entry;
}

/** Since when a source has not been heard of, so that what serves may be older than what it holds. */
export interface Stale {
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly why: string;
}

/** Where the flags come from: a file, or a key that several routers have in common. */
export interface FlagSource {
  /** What it is called in messages. */
  readonly name: string;
  /** The newest text that is known, or why there is none. */
  read(): FileText;
  /** The last good texts of earlier lives, for a start while there is no newest one or a bad one; the best first. */
  kept(): readonly string[];
  /** Sees to it that `read` is up to date. Rejects with Problem when that can't be. `patience`: milliseconds. */
  sync(patience: number): Promise<void>;
  /** Replaces the text and journals it; false when it is not `before` any more. Rejects with Problem when it was not made, or may not have been. */
  swap(swap: Swap, journal: Journal): Promise<boolean>;
  /** null: it is as fresh as can be. */
  stale(): Stale | null;
  /** Calls back when `read` may say something new. */
  watch(changed: () => void): { close(): void };
  /** This text has been found good and serves. */
  applied(text: string): void;
}

/** Flags in a file: read anew whenever they are wanted, swapped under a lock file, journalled as an intent before and a done after. */
export function fileSource(path: string): FlagSource {
  return {
    name: path,
    read: () => readText(path),
    kept: () => [],
    sync: async () => undefined,
    async swap({ before, after, entry }, journal) {
      journal.append({ kind: 'intent', entry, flags: { before: hash(before), after: hash(after) } });
      const abort = (reason: string): void => journal.append({ kind: 'aborted', id: entry.id, reason });
      let swapped: boolean;
      try {
        swapped = compareAndSwap(path, before, after);
      } catch (error) {
        abort((error as Error).message);
        throw new Problem(
          'NOT_WRITABLE',
          `${path} can't be written: ${(error as Error).message}; the kill switch works all the same`,
        );
      }
      if (swapped) journal.append({ kind: 'done', id: entry.id });
      else abort('the file had changed');
      return swapped;
    },
    stale: () => null,
    watch: (changed) => watchPath(path, changed),
    applied: () => undefined,
  };
}
