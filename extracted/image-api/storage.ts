import { createHash, randomUUID } from 'node:crypto';
import { rm } from 'node:fs';
import { Transform, pipeline, type TransformCallback } from 'node:stream';
import multer, { type StorageEngine } from 'multer';
import { HEAD, kindOf } from './magic.ts';
import { Problem } from './problem.ts';
import type { Kind } from './wish.ts';

/** What is known of a received file, beside what multer says. */
export interface Seen {
  readonly kind: Kind;
  /** Of all its bytes, in hexadecimal. */
  readonly sha256: string;
}

/**
 * multer's storage on disk, with two things done as the bytes pass: they are hashed, and the first of them must be a picture's, else none of them is written.
 * Names are our own: the client's never reaches a disk.
 */
export function pictureStorage(folder: string): StorageEngine {
  const disk = multer.diskStorage({
    destination: folder,
    filename: (_request, _file, done) => done(null, randomUUID()),
  });
  return {
    _handleFile(request, file, done) {
      const inspector = new Inspector();
      // Whatever ends the one ends the other, and then the writer, who tells.
      pipeline(file.stream, inspector, () => undefined);
      Object.defineProperty(file, 'stream', { configurable: true, enumerable: false, value: inspector });
      disk._handleFile(request, file, (error: unknown, info) => {
        const failure = inspector.problem ?? error;
        if (!failure) return done(null, { ...info, ...inspector.seen() } as typeof info);
        // Of a file that could not be written whole nobody else takes care.
        const report = (): void => done(failure);
        if (file.path) rm(file.path, { force: true }, report);
        else report();
      });
    },
    _removeFile: (request, file, done) => disk._removeFile(request, file, done),
  };
}

const NO_PICTURE = 'send a JPEG, PNG, WebP, AVIF or GIF; what counts are the bytes, not the name';

class Inspector extends Transform {
  readonly #hash = createHash('sha256');
  #head: Buffer = Buffer.alloc(0);
  #kind: Kind | null = null;
  problem: Problem | null = null;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk);
    if (this.#kind === null) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, HEAD)]);
      if (this.#head.length >= HEAD && !this.#judge()) return done(this.problem);
    }
    done(null, chunk);
  }
  override _flush(done: TransformCallback): void {
    done(this.#kind !== null || this.#judge() ? null : this.problem);
  }
  #judge(): boolean {
    this.#kind = kindOf(this.#head);
    if (this.#kind === null) this.problem = new Problem(415, NO_PICTURE);
    return this.#kind !== null;
  }
  seen(): Seen {
    return { kind: this.#kind!, sha256: this.#hash.digest('hex') };
  }
}
