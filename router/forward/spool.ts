import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, read, readdirSync, unlinkSync, writev } from 'node:fs';
import { join } from 'node:path';

/** Up to so many bytes stay in memory: most writes are small, and a file costs more than they do. */
const MEMORY_BYTES = 64 * 1024;
/** Bytes that may wait for the disk before no more are taken. */
const QUEUE_BYTES = 256 * 1024;
const READ_BYTES = 64 * 1024;
const JOINED_BYTES = 4 * 1024;

/** Bytes that all bodies of this process have on the disk. */
let onDisk = 0;

const NAME = /^[0-9a-f]{24}\.body$/;

export interface SpoolOwner {
  /** More can be taken again. */
  spoolDrained(): void;
  /** The disk failed; nothing more is done. */
  spoolFailed(error: Error): void;
}

/**
 * The bytes of one body, kept until they need not be sent again. The file loses its name as soon as it is open, so that its place is given back
 * whatever ends this process.
 */
export class Spool {
  size = 0;
  /** Bytes of it that went to the disk. */
  written = 0;
  #memory: Buffer[] = [];
  #queue: Buffer[] = [];
  #queued = 0;
  #file: number | null = null;
  /** Reads and writes under way: until they are over, the number of the file must not become another file's. */
  #busy = 0;
  #isWriting = false;
  #isFull = false;
  #isClosed = false;
  #finished: (() => void) | null = null;
  /** Bytes of it that count for all that lie on the disk. */
  #charged = 0;
  readonly #folder: string;
  readonly #maxOnDisk: number;
  readonly #owner: SpoolOwner;

  constructor(folder: string, maxOnDisk: number, owner: SpoolOwner) {
    this.#maxOnDisk = maxOnDisk;
    this.#folder = folder;
    this.#owner = owner;
  }

  /** Takes a piece for good. False: no more for now. */
  write(piece: Buffer): boolean {
    this.size += piece.length;
    if (this.#isClosed) return true;
    if (this.#file === null && this.size <= MEMORY_BYTES) return this.#remember(piece);
    if (this.#file === null && !this.#open()) return true;
    const added = this.size - this.#charged;
    onDisk += added;
    this.#charged = this.size;
    if (onDisk > this.#maxOnDisk) {
      this.#fail(new Error('too many bodies wait on the disk'));
      return true;
    }
    this.#queue.push(piece);
    this.#queued += piece.length;
    this.#flush();
    this.#isFull = this.#queued > QUEUE_BYTES;
    return !this.#isFull;
  }

  /** Small pieces are joined: each one by itself would cost more than it holds. */
  #remember(piece: Buffer): true {
    const last = this.#memory.at(-1);
    if (last && last.length < JOINED_BYTES) this.#memory.splice(-1, 1, Buffer.concat([last, piece]));
    else this.#memory.push(piece);
    return true;
  }

  #open(): boolean {
    try {
      const path = join(this.#folder, `${randomBytes(12).toString('hex')}.body`);
      this.#file = openSync(path, 'wx+', 0o600);
      remove(path);
    } catch (error) {
      this.#fail(error as Error);
      return false;
    }
    this.#queue = this.#memory;
    this.#queued = this.#queue.reduce((sum, { length }) => sum + length, 0);
    this.#memory = [];
    return true;
  }

  #flush(): void {
    if (this.#isWriting || this.#queue.length === 0 || this.#isClosed) return;
    const pieces = this.#queue;
    this.#queue = [];
    this.#isWriting = true;
    this.#busy++;
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    writev(this.#file!, pieces, this.written, (error, count) => {
      this.#isWriting = false;
      this.#queued -= bytes;
      this.#idle();
      if (this.#isClosed) return;
      // A disk that is full takes a part without an error.
      if (error || count < bytes) return this.#fail(error ?? new Error('the disk took a part only'));
      this.written += bytes;
      if (this.#queue.length > 0) this.#flush();
      else this.#tellFinished();
      if (!this.#isFull || this.#queued > QUEUE_BYTES) return;
      this.#isFull = false;
      this.#owner.spoolDrained();
    });
  }

  /** Calls back, in a later turn, when all can be read. */
  finish(done: () => void): void {
    this.#finished = done;
    if (this.#file === null || (!this.#isWriting && this.#queue.length === 0))
      process.nextTick(() => this.#tellFinished());
  }

  #tellFinished(): void {
    const done = this.#finished;
    this.#finished = null;
    if (!this.#isClosed) done?.();
  }

  /** Reads a piece from a position on; the memory is the caller's. Calls back at once when it is in memory. */
  read(from: number, done: (piece: Buffer) => void): void {
    if (this.#file === null) return done(Buffer.concat(this.#memory).subarray(from));
    const memory = Buffer.allocUnsafeSlow(READ_BYTES);
    this.#busy++;
    read(this.#file, memory, 0, READ_BYTES, from, (error, count) => {
      this.#idle();
      if (this.#isClosed) return;
      if (error || count === 0) return this.#fail(error ?? new Error('the file has become shorter'));
      done(memory.subarray(0, count));
    });
  }

  #fail(error: Error): void {
    this.close();
    this.#owner.spoolFailed(error);
  }

  /** Forgets all of it. */
  close(): void {
    this.#isClosed = true;
    onDisk -= this.#charged;
    this.#charged = 0;
    this.#memory = [];
    this.#queue = [];
    if (this.#busy === 0) this.#closeFile();
  }

  #idle(): void {
    this.#busy--;
    if (this.#isClosed && this.#busy === 0) this.#closeFile();
  }

  #closeFile(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}

/** Makes the folder, and removes what a process has left that ended between opening a file and taking its name away. */
export function clearSpool(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const file of readdirSync(folder)) if (NAME.test(file)) remove(join(folder, file));
}

/** Another process that starts may have removed it already. */
function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
