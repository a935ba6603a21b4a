import { randomUUID } from 'node:crypto';
import { mkdirSync, rm } from 'node:fs';
import { join } from 'node:path';
import { Writable, finished } from 'node:stream';
import { callbackify } from 'node:util';
import type { StorageEngine } from 'multer';
import { HEAD, kindOf } from './magic.ts';
import { Problem } from './problem.ts';
import { createReceiving, type Ended, type Receiving } from './receiving.ts';
import type { Kind } from './wish.ts';

/** What is known of a received file, beside what multer says. */
export interface Seen extends Ended {
  readonly kind: Kind;
}

/**
 * Storage of multer's on the disk: the first bytes must be a picture's, else none is written. Names are our own: the client's never reaches a disk. Makes the
 * folder. What can not be written whole is gone before that is told.
 */
export function pictureStorage(folder: string, receive = createReceiving()): StorageEngine {
  mkdirSync(folder, { recursive: true });
  return {
    _handleFile(_request, { stream }, done) {
      const path = join(folder, randomUUID());
      const file = new PictureFile(receive(path));
      // No pipeline: that would end the parser's stream with our fault, and the parser would answer before what was written is gone.
      finished(stream, { writable: false }, (error) => void (error && file.destroy(error)));
      finished(file, (error) => {
        if (error) done(error);
        else done(null, { path, ...file.seen() });
      });
      stream.pipe(file);
    },
    _removeFile(_request, { path }, done) {
      rm(path, { force: true }, done);
    },
  };
}

const NO_PICTURE = 'send a JPEG, PNG, WebP, AVIF or GIF; what counts are the bytes, not the name';

class PictureFile extends Writable {
  readonly #file: Receiving;
  #size = 0;
  #head: Buffer = Buffer.alloc(0);
  #kind: Kind | null = null;
  #ended: Ended | null = null;

  constructor(file: Receiving) {
    // No second chunk waits here: the parser's own stream keeps one already.
    super({ highWaterMark: 1 });
    this.#file = file;
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#size += chunk.length;
    if (this.#kind === null) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, HEAD)]);
      if (this.#head.length >= HEAD && !this.#judge()) return done(new Problem(415, NO_PICTURE));
    }
    this.#file.write(chunk, done);
  }
  override _final(done: (error?: Error | null) => void): void {
    if (this.#kind === null && !this.#judge()) return done(new Problem(415, NO_PICTURE));
    callbackify(() => this.#file.end(this.#kind!))((error, ended) => {
      this.#ended = ended;
      done(error);
    });
  }
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Without an error too: what was ended is the caller's, and nothing is dropped then.
    callbackify(() => this.#file.drop())((failure) => done(error ?? failure));
  }
  #judge(): boolean {
    this.#kind = kindOf(this.#head);
    return this.#kind !== null;
  }
  seen(): Seen & { size: number } {
    return { kind: this.#kind!, size: this.#size, ...this.#ended! };
  }
}
