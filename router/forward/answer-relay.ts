import type { Socket } from 'node:net';
import { AnswerHead, BODY, bodyOf, readAnswer } from '../http/answer.ts';
import { ChunkedBody, type ByteSink } from '../http/chunked.ts';
import { FIELD } from '../http/names.ts';
import { SCRATCH, writeAnswerHead, writeInterimHead } from '../http/outgoing.ts';
import type { Limits } from './limits.ts';
import type { Watch } from './plan.ts';
import { sendScratch } from './scratch.ts';
import type { UpstreamSocket } from './upstream-socket.ts';

/** What an answer needs to know of its request, and whom it tells what. */
export interface AnswerOwner {
  /** A whole final head was read. Lines to add to it, or null when this answer is not wanted and all was arranged. */
  accept(head: AnswerHead, isUntilClose: boolean): string | null;
  /** The last byte was handed to the client. `isClean`: nothing followed it, and the upstream keeps the connection. */
  answered(isClean: boolean): void;
  /** The upstream does not speak HTTP. */
  fail(kind: 'protocol'): void;
  /** 100 (Continue) was relayed. */
  continued(): void;
}

/** Interim answers that one answer may have. */
const MAX_INTERIM = 32;

/** The head that is being looked at: one at a time, and done with before anything else runs. */
const HEAD = new AnswerHead();

/**
 * The answer of an upstream on its way to the client. The new head is put before the first piece of the body in the very memory it was read
 * into (the old head's place, or the headroom before it), so that head and body leave in one write and no body byte is ever copied.
 */
export class AnswerRelay implements ByteSink {
  /** Something, be it an interim answer, has been written to the client. */
  hasBegun = false;
  /** The final head has been written: from here on the answer can only be finished or cut. */
  hasHead = false;
  /** The client does not take any more for now. */
  isBlocked = false;
  /** Bytes of an answer have come. */
  hasReceived = false;
  #body: number = -1;
  #remaining = 0;
  #chunked: ChunkedBody | null = null;
  #wraps = false;
  #isFramed = false;
  #isKept = false;
  #headLength = 0;
  #held: Buffer | null = null;
  #interims = 0;
  #upstream: UpstreamSocket | null = null;
  readonly #owner: AnswerOwner;
  readonly #client: Socket;
  readonly #isPlain: boolean;
  readonly #method: string;
  readonly #minor: number;
  readonly #requestId: string;
  readonly #limits: Limits;
  readonly #watch: Watch | null;

  constructor(
    owner: AnswerOwner,
    client: { socket: Socket; isPlain: boolean },
    request: { method: string; minor: number },
    { requestId, watch }: { readonly requestId: string; readonly watch: Watch | null },
    limits: Limits,
  ) {
    this.#owner = owner;
    this.#client = client.socket;
    this.#isPlain = client.isPlain;
    this.#method = request.method;
    this.#minor = request.minor;
    this.#requestId = requestId;
    this.#limits = limits;
    this.#watch = watch;
  }

  /** Forgets what an upstream has sent, before another one is asked. */
  restart(): void {
    this.#held = null;
    this.#headLength = 0;
    this.hasReceived = false;
    this.#body = -1;
  }

  /** Takes what the upstream sent. */
  received(upstream: UpstreamSocket, buffer: Buffer, from: number, to: number): void {
    this.hasReceived = true;
    this.#upstream = upstream;
    if (this.#body !== -1) return this.#pass(buffer, from, to);
    if (this.#held !== null) {
      const room = this.#limits.answerHeadBytes;
      const all = Buffer.allocUnsafe(room + this.#held.length + to - from);
      this.#held.copy(all, room);
      buffer.copy(all, room + this.#held.length, from, to);
      this.#held = null;
      buffer = all;
      from = room;
      to = all.length;
    }
    let end = readAnswer(buffer, from, to, HEAD);
    while (end > 0 && HEAD.status < 200) {
      if (HEAD.status === 101 || ++this.#interims > MAX_INTERIM) return this.#owner.fail('protocol');
      this.#interim();
      from = end;
      if (from === to) return;
      end = readAnswer(buffer, from, to, HEAD);
    }
    if (end < 0 || (end === 0 ? to : end) - from > this.#limits.answerHeadBytes)
      return this.#owner.fail('protocol');
    if (end === 0) this.#held = Buffer.from(buffer.subarray(from, to));
    else if (this.#begin()) this.#pass(buffer, end, to);
  }

  #interim(): void {
    const { status } = HEAD;
    if (this.#minor === 1) {
      this.hasBegun = true;
      sendScratch(this.#client, writeInterimHead(HEAD), this.#isPlain);
    }
    if (status === 100) this.#owner.continued();
  }

  #begin(): boolean {
    const body = bodyOf(HEAD, this.#method);
    const added = this.#owner.accept(HEAD, body === BODY.untilClose);
    if (added === null) return false;
    this.#body = body;
    this.#remaining = HEAD.length;
    // An answer that ends with the connection gets chunks, for then the client can tell a whole one from a cut one.
    this.#wraps = body === BODY.untilClose && this.#minor === 1;
    const isHead = this.#method === 'HEAD';
    const keepsChunks = this.#minor === 1 && (body === BODY.chunked || (isHead && HEAD.chunked));
    this.#isFramed = keepsChunks && !isHead;
    if (body === BODY.chunked)
      this.#chunked = new ChunkedBody({
        framed: keepsChunks,
        maxBody: Number.MAX_SAFE_INTEGER,
        maxTrailer: this.#limits.trailerBytes,
      });
    this.#isKept = HEAD.keepAlive && body !== BODY.untilClose;
    if (this.#upstream!.served === 0) this.#notePromise();
    const lines = this.#wraps ? `Transfer-Encoding: chunked\r\n${added}` : added;
    this.#headLength = writeAnswerHead(HEAD, {
      lines,
      requestId: this.#requestId,
      keepsChunks,
      keepsLength: HEAD.status !== 204,
    });
    return true;
  }

  /** Keep-Alive: timeout=N, less a margin for the way: an upstream closes what was idle for so long. */
  #notePromise(): void {
    const line = HEAD.fields.find(FIELD.keepAlive);
    const found =
      line === -1 ? null : /(?:^|[,\s])timeout=(\d{1,6})/i.exec(HEAD.fields.value(HEAD.bytes, line));
    if (found) this.#upstream!.promisedIdle = Number(found[1]) * 1000 - 500;
  }

  #pass(buffer: Buffer, from: number, to: number): void {
    let end = from;
    let isOver = false;
    switch (this.#body) {
      case BODY.none:
        isOver = true;
        break;
      case BODY.length: {
        end = from + Math.min(this.#remaining, to - from);
        if (end > from) this.bytes(buffer, from, end);
        this.#remaining -= end - from;
        isOver = this.#remaining === 0;
        break;
      }
      case BODY.chunked:
        end = this.#chunked!.push(buffer, from, to, this);
        if (end < 0) return this.#owner.fail('protocol');
        isOver = this.#chunked!.isDone;
        break;
      case BODY.untilClose:
        if (to > from) this.bytes(buffer, from, to);
        end = to;
        break;
    }
    this.#flush();
    if (isOver) this.#owner.answered(this.#isKept && end === to);
  }

  /** The upstream closed its side. True when that was the proper end of the answer. */
  finished(): boolean {
    if (this.#body !== BODY.untilClose) return false;
    if (this.#wraps) this.#write(Buffer.from('0\r\n\r\n'));
    this.#owner.answered(false);
    return true;
  }

  bytes(buffer: Buffer, from: number, to: number): void {
    if (this.#watch !== null) this.#watch.answerBody(buffer, from, to, this.#isFramed);
    if (this.#wraps) {
      this.#flush();
      this.#client.cork();
      this.#client.write(`${(to - from).toString(16)}\r\n`, 'latin1');
      this.#write(buffer.subarray(from, to));
      this.#client.write('\r\n', 'latin1');
      this.#client.uncork();
      this.#judge(false);
      return;
    }
    const length = this.#headLength;
    if (length > 0 && from < length) {
      if (length + to - from > SCRATCH.length) this.#flush();
      else {
        buffer.copy(SCRATCH, length, from, to);
        this.#headLength += to - from;
        return this.#flush();
      }
    }
    if (this.#headLength > 0) {
      from -= SCRATCH.copy(buffer, from - length, 0, length);
      this.#headLength = 0;
      this.hasBegun = true;
      this.hasHead = true;
    }
    this.#write(buffer.subarray(from, to));
  }

  #write(piece: Buffer): void {
    this.#judge(this.#client.write(piece));
  }

  /** After a write: what the client has not taken keeps the memory it was read into, and much of it stops the reading. */
  #judge(isTaken: boolean): void {
    if (this.#client.writableLength === 0) return;
    this.#upstream!.keep();
    if (!isTaken && this.#client.writableNeedDrain) this.isBlocked = true;
  }

  /** Sends the head when no piece of the body took it along. */
  #flush(): void {
    const length = this.#headLength;
    if (length === 0) return;
    this.#headLength = 0;
    this.hasBegun = true;
    this.hasHead = true;
    this.#judge(sendScratch(this.#client, length, this.#isPlain));
  }
}
