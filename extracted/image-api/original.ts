import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/** Bytes from `start` to `end`, both included, counted from 0. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The bytes of a stored picture, wherever they are. */
export interface Original {
  /** Runs `use` with the path of a file that has these bytes and is there at least as long. Rejects when there are none. */
  withFile<T>(use: (path: string) => Promise<T>): Promise<T>;
  /** All bytes, or those of a span, which must be in it. Rejects, before any byte is sent, when there are none. `signal` ends what nobody waits for any more. */
  read(span?: Span, signal?: AbortSignal): Promise<Readable>;
}

/** Of a file of this machine. */
export function fileOriginal(path: string): Original {
  return {
    withFile: (use) => use(path),
    read: async (span) => (await open(path, 'r')).createReadStream({ ...span }),
  };
}
