import type { IncomingMessage } from 'node:http';
import { Transform, type TransformCallback } from 'node:stream';

/**
 * A request's body on its way to a service, counted. The bytes of the client are not touched before `start`, so that a service which can't be
 * reached has cost nothing, and another one can still have them.
 */
export class MeteredBody extends Transform {
  #count = 0;
  readonly #maxBody: number | null;
  readonly #tooLarge: () => void;
  readonly #moved: () => void;
  #source: IncomingMessage | null = null;

  /** `maxBody` in bytes; `tooLarge` is called once, and nothing passes afterwards; `moved` whenever bytes pass. */
  constructor(maxBody: number | null, tooLarge: () => void, moved: () => void) {
    super();
    this.#maxBody = maxBody;
    this.#tooLarge = tooLarge;
    this.#moved = moved;
  }

  start(source: IncomingMessage): void {
    this.#source = source;
    source.pipe(this);
  }

  /** Takes no more of the client's bytes. */
  stop(): void {
    this.#source?.unpipe(this);
    this.#source = null;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#count += chunk.length;
    // Without `done` the stream stands still: the last byte never follows, so the service never has a complete request.
    if (this.#maxBody !== null && this.#count > this.#maxBody) return this.#tooLarge();
    this.#moved();
    done(null, chunk);
  }
}

/** A body was announced and something has read of it: what is left is not the request any more. */
export function isEaten(req: IncomingMessage): boolean {
  return req.readableDidRead || req.readableEnded;
}
