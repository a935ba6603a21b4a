import { randomUUID } from 'node:crypto';
import { createWriteStream, mkdirSync, rm, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { Writable, finished } from 'node:stream';
import type { StorageEngine } from 'multer';
import { HEAD, kindOf } from './magic.ts';
import { Problem } from './problem.ts';
import type { Kind } from './wish.ts';

/** What is known of a received file, beside what multer says. */
export interface Seen {
  readonly kind: Kind;
}

/**
 * Storage of multer's on the disk: the first bytes must be a picture's, else none is written. Names are our own: the client's never reaches a disk. Makes the
 * folder.
 */
export function pictureStorage(folder: string): StorageEngine {
  mkdirSync(folder, { recursive: true });
  return {
    _handleFile(_request, { stream }, done) {
      const path = join(folder, randomUUID());
      const file = new PictureFile(path);
      // No pipeline: that would end the parser's stream with our fault, and the parser would answer before what was written is gone.
      finished(stream, { writable: false }, (error) => void (error && file.destroy(error)));
      finished(file, (error) => {
        if (!error) return done(null, { path, ...file.seen() });
        // Of a file that could not be written whole nobody else takes care; it may be about to be opened still.
        const remove = (): void => rm(path, { force: true }, () => done(error));
        if (file.closed) remove();
        else file.once('close', remove);
      });
      stream.pipe(file);
    },
    _removeFile(_request, { path }, done) {
      rm(path, { force: true }, done);
    },
  };
}

const NO_PICTURE = 'send a JPEG, PNG, WebP, AVIF or GIF; what counts are the bytes, not the name';
/** Bytes that are written at once: a write costs the loop more than it costs the disk. */
const BATCH = 524_288;

class PictureFile extends Writable {
  readonly #path: string;
  #file: WriteStream | null = null;
  #batch: Buffer[] = [];
  #held = 0;
  #size = 0;
  #head: Buffer = Buffer.alloc(0);
  #kind: Kind | null = null;

  constructor(path: string) {
    super({ highWaterMark: BATCH });
    this.#path = path;
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#batch.push(chunk);
    this.#held += chunk.length;
    this.#size += chunk.length;
    if (this.#kind === null) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, HEAD)]);
      if (this.#head.length >= HEAD && !this.#judge()) return done(new Problem(415, NO_PICTURE));
    }
    if (this.#held < BATCH) done();
    else this.#flush(done);
  }
  override _final(done: (error?: Error | null) => void): void {
    if (this.#kind === null && !this.#judge()) return done(new Problem(415, NO_PICTURE));
    this.#flush((error) => {
      if (error) done(error);
      else this.#file!.end(done);
    });
  }
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const file = this.#file;
    if (!file || file.closed) return done(error);
    file.once('close', () => done(error));
    file.destroy();
  }
  #flush(done: (error?: Error | null) => void): void {
    const file = (this.#file ??= this.#open());
    const last = this.#batch.pop();
    if (!last) return done();
    file.cork();
    for (const chunk of this.#batch) file.write(chunk);
    file.write(last, done);
    file.uncork();
    this.#batch = [];
    this.#held = 0;
  }
  #open(): WriteStream {
    const file = createWriteStream(this.#path, { flags: 'wx', highWaterMark: BATCH });
    // Told by the callbacks of its writes.
    file.on('error', () => undefined);
    return file;
  }
  #judge(): boolean {
    this.#kind = kindOf(this.#head);
    return this.#kind !== null;
  }
  seen(): Seen & { size: number } {
    return { kind: this.#kind!, size: this.#size };
  }
}
