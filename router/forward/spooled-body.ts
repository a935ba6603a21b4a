import { ChunkedBody, type ByteSink } from '../http/chunked.ts';
import type { ReceivedHead } from '../http/head.ts';
import type { IncomingBody } from './asker.ts';
import type { Limits } from './limits.ts';
import { Spool, type SpoolOwner } from './spool.ts';

/** The body of a request on its way into a spool: checked as one that is passed on, and kept in its own chunks, trailers and all. */
export class SpooledBody implements ByteSink, IncomingBody {
  readonly isAttached = true;
  /** What is pushed is copied. */
  readonly holdsPieces = false;
  isDone = false;
  isBlocked = false;
  readonly spool: Spool;
  #remaining: number;
  #windowEnd: number;
  #windowBytes = 0;
  readonly #chunked: ChunkedBody | null;
  readonly #limits: Limits;

  constructor(
    head: ReceivedHead,
    maxBody: number,
    at: { readonly folder: string; readonly now: number; readonly limits: Limits },
    owner: SpoolOwner,
  ) {
    this.spool = new Spool(at.folder, at.limits.spoolBytes, owner);
    this.#remaining = head.length;
    this.#limits = at.limits;
    this.#windowEnd = at.now + at.limits.bodyWindowMs;
    this.#chunked = head.chunked
      ? new ChunkedBody({ framed: true, maxBody, maxTrailer: at.limits.trailerBytes })
      : null;
  }

  get takesPieces(): boolean {
    return !this.isDone;
  }

  /** Takes what the client sent. Returns the position behind the body, or the number of a fault. */
  push(piece: Buffer): number {
    this.#windowBytes += piece.length;
    let end: number;
    if (this.#chunked === null) {
      end = Math.min(this.#remaining, piece.length);
      if (end > 0) this.bytes(piece, 0, end);
      this.#remaining -= end;
      this.isDone = this.#remaining === 0;
    } else {
      end = this.#chunked.push(piece, 0, piece.length, this);
      this.isDone = this.#chunked.isDone;
    }
    return end;
  }

  bytes(buffer: Buffer, from: number, to: number): void {
    if (!this.spool.write(Buffer.from(buffer.subarray(from, to)))) this.isBlocked = true;
  }

  unblock(now: number): void {
    this.isBlocked = false;
    this.#turn(now);
  }

  #turn(now: number): void {
    this.#windowEnd = now + this.#limits.bodyWindowMs;
    this.#windowBytes = 0;
  }

  /** True when the client has had a whole window and sent next to nothing. */
  isTooSlow(now: number): boolean {
    if (this.isDone || this.isBlocked || now < this.#windowEnd) return false;
    const isSlow = this.#windowBytes < this.#limits.bodyWindowBytes;
    this.#turn(now);
    return isSlow;
  }
}
