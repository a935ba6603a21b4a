import { rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import type { Destination } from './blobs.ts';
import type { Walked } from './parts.ts';
import { createSlots } from './slots.ts';
import { sync } from './sync.ts';
import type { Kind } from './wish.ts';

/** What is known of a received file when all of its bytes were looked at. */
export interface Examined {
  /** Of all its bytes, in hexadecimal. */
  readonly sha256: string;
  /** What a walk over its container found; null for what has to be encoded anew. */
  readonly walked: Walked | 'damaged' | null;
  /** A JPEG with more scans than any needs. */
  readonly hasTooManyScans: boolean;
  /** A blob has the same bytes. A hint, for it may go at any time. */
  readonly isStored: boolean;
}

/** A file that has been received. */
export interface Ended extends Examined {
  /**
   * Resolves when its bytes are on the disk, which takes as long as decoding some, and is under way already, unless nobody is likely to ask: where a blob has the
   * same ones, and where it does not stay on this disk. Rejects with what the disk said; then the file is gone.
   */
  sync(): Promise<void>;
}

/** A file on its way to the disk. */
export interface Receiving {
  /**
   * Calls back when all of `chunk` was taken, which may be reused then, or with what the disk said; then the file is gone already. One at a time. The file is
   * made when there is much of it, or at its end.
   */
  write(chunk: Buffer, done: (error?: Error | null) => void): void;
  /** Resolves when all is written and looked at. Rejects as `write`. */
  end(kind: Kind): Promise<Ended>;
  /** Removes what there is of a file that was not ended. */
  drop(): Promise<void>;
}

export type Order = { readonly number: number } & (
  | { readonly what: 'begin'; readonly path: string; readonly memory: SharedArrayBuffer }
  | { readonly what: 'write'; readonly slot: 0 | 1; readonly length: number }
  | { readonly what: 'end'; readonly kind: Kind }
  | { readonly what: 'drop' }
);

/** `failed`: errors lose their codes on the way between threads. */
export type Report = { readonly number: number } & (
  | { readonly what: 'written'; readonly slot: 0 | 1 }
  /** `isSyncing`: the file is, and a later report tells its end. */
  | { readonly what: 'ended'; readonly examined: Examined; readonly isSyncing: boolean }
  | { readonly what: 'synced' }
  | { readonly what: 'dropped' }
  | { readonly what: 'failed'; readonly message: string; readonly code: string | undefined }
);

/**
 * Receives files in a thread of its own, which writes them, hashes them and walks over them: milliseconds of CPU for each, in which the loop would serve nobody, and
 * a dozen turns through the pool that pictures are made in. `destination`: by default they stay on this disk, under names of
 * their own. `script`: what the thread runs. It is replaced should it end, and keeps no process from ending.
 */
export function createReceiving(
  destination: Destination = { blobs: null, isKept: true },
  script = new URL('receiving-worker.ts', import.meta.url),
): (path: string) => Receiving {
  const files = new Map<number, ReceivedFile>();
  const slots = createSlots();
  let last = 0;

  const begin = (): Worker => {
    const begun = new Worker(script, { workerData: destination });
    begun.on('message', (report: Report) => files.get(report.number)?.hear(report));
    const ended = (error: Error): void => {
      if (worker !== begun) return;
      worker = null;
      for (const file of files.values()) file.fail(error);
    };
    begun.on('error', (error) => ended(error as Error));
    begun.on('exit', () => ended(new Error('the thread that receives files ended')));
    begun.unref();
    return begun;
  };
  // Now, and not while somebody waits.
  let worker: Worker | null = begin();

  return (path) => {
    const number = ++last;
    const own = (worker ??= begin());
    const memory = slots.take();
    const file = new ReceivedFile(path, memory, {
      begin: () => own.postMessage({ number, what: 'begin', path, memory } satisfies Order),
      write: (slot, length) => own.postMessage({ number, what: 'write', slot, length } satisfies Order),
      end: (kind) => own.postMessage({ number, what: 'end', kind } satisfies Order),
      drop: () => own.postMessage({ number, what: 'drop' } satisfies Order),
      over() {
        files.delete(number);
        // A thread that ended may still be at work in its slots.
        slots.giveBack(memory, own === worker);
      },
    });
    files.set(number, file);
    return file;
  };
}

interface Thread {
  begin(): void;
  write(slot: 0 | 1, length: number): void;
  end(kind: Kind): void;
  drop(): void;
  /** The file is the thread's no more. */
  over(): void;
}

class ReceivedFile implements Receiving {
  readonly #path: string;
  readonly #thread: Thread;
  /** Bytes of a slot. */
  readonly #size: number;
  readonly #slots: readonly [Buffer, Buffer];
  readonly #isBusy: [boolean, boolean] = [false, false];
  #slot: 0 | 1 = 0;
  #filled = 0;
  #isBegun = false;
  #isEnded = false;
  #isOver = false;
  #failure: Error | null = null;
  /** What goes on when a slot is free, or the file has failed. */
  #goOn: (() => void) | null = null;
  readonly #ended = Promise.withResolvers<Ended>();
  readonly #synced = Promise.withResolvers<void>();
  readonly #dropped = Promise.withResolvers<void>();

  constructor(path: string, memory: SharedArrayBuffer, thread: Thread) {
    this.#path = path;
    this.#thread = thread;
    this.#size = memory.byteLength / 2;
    this.#slots = [Buffer.from(memory, 0, this.#size), Buffer.from(memory, this.#size)];
    // Whoever waits for it hears of it; there may be nobody.
    for (const { promise } of [this.#ended, this.#synced]) promise.catch(() => undefined);
  }

  write(chunk: Buffer, done: (error?: Error | null) => void): void {
    let taken = 0;
    const take = (): void => {
      while (taken < chunk.length && !this.#failure) {
        if (this.#isBusy[this.#slot]) {
          this.#goOn = take;
          return;
        }
        const piece = chunk.subarray(taken, taken + this.#size - this.#filled);
        // Filling with other bytes is copying them, by memcpy; copying itself goes word by word where memory is shared, which takes four times as long.
        this.#slots[this.#slot].fill(piece, this.#filled, this.#filled + piece.length);
        taken += piece.length;
        this.#filled += piece.length;
        if (this.#filled === this.#size) this.#flush();
      }
      done(this.#failure);
    };
    take();
  }

  end(kind: Kind): Promise<Ended> {
    if (this.#filled > 0 || !this.#isBegun) this.#flush();
    if (!this.#failure) this.#thread.end(kind);
    return this.#ended.promise;
  }

  async drop(): Promise<void> {
    if (this.#isOver || this.#isEnded) return;
    if (!this.#isBegun) return this.#close();
    this.#thread.drop();
    await this.#dropped.promise;
    // It may have ended meanwhile, or the thread has.
    await rm(this.#path, { force: true });
  }

  hear(report: Report): void {
    switch (report.what) {
      case 'written':
        this.#isBusy[report.slot] = false;
        return this.#wake();
      case 'ended':
        this.#isEnded = true;
        if (!report.isSyncing) this.#close();
        return this.#ended.resolve({
          ...asSent(report.examined),
          sync: report.isSyncing ? () => this.#synced.promise : () => sync(this.#path),
        });
      case 'synced':
        this.#close();
        return this.#synced.resolve();
      case 'dropped':
        return this.fail(new Error('the file was given up'));
      case 'failed':
        return this.fail(
          Object.assign(new Error(report.message), report.code === undefined ? {} : { code: report.code }),
        );
    }
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#close();
    this.#ended.reject(error);
    this.#synced.reject(error);
    this.#wake();
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#thread.over();
    this.#dropped.resolve();
  }
  #wake(): void {
    const goOn = this.#goOn;
    this.#goOn = null;
    goOn?.();
  }
  #flush(): void {
    if (this.#failure) return;
    if (!this.#isBegun) this.#thread.begin();
    this.#isBegun = true;
    this.#isBusy[this.#slot] = true;
    this.#thread.write(this.#slot, this.#filled);
    this.#slot = this.#slot === 0 ? 1 : 0;
    this.#filled = 0;
  }
}

/** On their way between threads buffers become plain arrays of bytes. */
function asSent(examined: Examined): Examined {
  const { walked } = examined;
  if (walked === null || walked === 'damaged') return examined;
  const parts = walked.parts.map((part) => (part instanceof Uint8Array ? Buffer.from(part) : part));
  return { ...examined, walked: { ...walked, parts } };
}
