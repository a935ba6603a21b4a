import { ChunkedBody, type ByteSink } from '../http/chunked.ts';
import type { ReceivedHead } from '../http/head.ts';
import { SCRATCH, writeRequestHead } from '../http/outgoing.ts';
import type { Limits } from './limits.ts';
import type { Watch } from './plan.ts';
import type { Forwarding } from './request.ts';
import { sendScratch } from './scratch.ts';
import type { UpstreamSocket } from './upstream-socket.ts';

/** A first piece of body up to this many bytes is copied behind the head, so that both leave in one write. */
const JOINED_BYTES = 16 * 1024;

/** The body of one request on its way to the upstream, in the pieces that the client sends. Nothing is kept. */
export class RequestBody implements ByteSink {
  isDone = false;
  /** The upstream does not take any more for now. */
  isBlocked = false;
  /** Since when it is the upstream that is waited for; Infinity while it is the client. */
  waitsSince = Infinity;
  /** The client waits for 100 (Continue), or some other answer, before it sends. */
  #isAwaited: boolean;
  #socket: UpstreamSocket | null = null;
  #headLength = 0;
  #remaining: number;
  readonly #chunked: ChunkedBody | null;
  #windowEnd = 0;
  #windowBytes = 0;
  readonly #limits: Limits;
  #watch: Watch | null = null;

  constructor(head: ReceivedHead, maxBody: number | null, limits: Limits) {
    this.#remaining = head.length;
    this.#isAwaited = head.expectsContinue;
    this.#limits = limits;
    const max = maxBody ?? Number.MAX_SAFE_INTEGER;
    this.#chunked = head.chunked
      ? new ChunkedBody({ framed: true, maxBody: max, maxTrailer: limits.trailerBytes })
      : null;
  }

  /** From now on pieces go to that connection, the first one behind the head that stands in SCRATCH. */
  attach(socket: UpstreamSocket, headLength: number, now: number, watch: Watch | null): void {
    this.#watch = watch;
    this.#socket = socket;
    this.#headLength = headLength;
    this.#turn(now);
  }

  get isAttached(): boolean {
    return this.#socket !== null;
  }

  /** It goes somewhere, and more is to come. */
  get takesPieces(): boolean {
    return this.#socket !== null && !this.isDone;
  }

  /** Some of what was pushed is still being written. */
  get holdsPieces(): boolean {
    return this.#socket !== null && this.#socket.socket.writableLength > 0;
  }

  /** Takes what the client sent. Returns the position behind the body, or the number of a fault. */
  push(piece: Buffer, now: number): number {
    this.#isAwaited = false;
    this.waitsSince = Infinity;
    this.#windowBytes += piece.length;
    const end = this.#chunked === null ? this.#take(piece) : this.#chunked.push(piece, 0, piece.length, this);
    this.isDone = this.#chunked === null ? this.#remaining === 0 : this.#chunked.isDone;
    if (this.isBlocked) this.waitsSince = now;
    return end;
  }

  #take(piece: Buffer): number {
    const take = Math.min(this.#remaining, piece.length);
    if (take > 0) this.bytes(piece, 0, take);
    this.#remaining -= take;
    return take;
  }

  /** The upstream takes more again. */
  unblock(now: number): void {
    this.isBlocked = false;
    this.#turn(now);
  }

  /** The client was told to go on. */
  allow(now: number): void {
    this.#isAwaited = false;
    this.#turn(now);
  }

  /** Sends the head when no piece of the body took it along. */
  flush(): void {
    if (this.#headLength === 0 || this.#socket === null) return;
    const length = this.#headLength;
    this.#headLength = 0;
    sendScratch(this.#socket.socket, length, !this.#socket.instance.isTls);
  }

  bytes(buffer: Buffer, from: number, to: number): void {
    if (this.#socket === null) return;
    if (this.#watch !== null) this.#watch.sentBody(buffer, from, to);
    const { socket, instance } = this.#socket;
    let isTaken: boolean;
    if (this.#headLength > 0 && to - from <= JOINED_BYTES) {
      const length = this.#headLength + buffer.copy(SCRATCH, this.#headLength, from, to);
      this.#headLength = 0;
      isTaken = sendScratch(socket, length, !instance.isTls);
    } else {
      this.flush();
      isTaken = socket.write(buffer.subarray(from, to));
    }
    if (!isTaken && socket.writableLength > 0) this.isBlocked = true;
  }

  /** From now on it is the client, or else the upstream, that is waited for. */
  #turn(now: number): void {
    this.waitsSince = this.#isAwaited || this.isBlocked ? now : Infinity;
    this.#windowEnd = now + this.#limits.bodyWindowMs;
    this.#windowBytes = 0;
  }

  /** True when the upstream has been waited for longer than that. */
  isStuck(now: number, patience: number): boolean {
    return now - this.waitsSince >= patience;
  }

  /** True when the client has had a whole window and sent next to nothing. */
  isTooSlow(now: number): boolean {
    if (this.isDone || this.waitsSince !== Infinity || this.#socket === null || now < this.#windowEnd)
      return false;
    const isSlow = this.#windowBytes < this.#limits.bodyWindowBytes;
    this.#turn(now);
    return isSlow;
  }
}

/** True when a head announces a body. */
export function hasBody(head: ReceivedHead): boolean {
  return head.chunked || head.length > 0;
}

/** Sends the head of a request; with a body, the head waits for its first piece (`flush` sends it without). */
export function sendHead(
  it: Forwarding,
  body: RequestBody | null,
  socket: UpstreamSocket,
  now: number,
  watch: Watch | null,
): void {
  const length = writeRequestHead(it.head, it.target, it, it.route, socket.instance.authority);
  if (watch !== null) watch.sent(SCRATCH, 0, length);
  if (body !== null) body.attach(socket, length, now, watch);
  else sendScratch(socket.socket, length, !socket.instance.isTls);
}
