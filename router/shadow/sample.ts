import { Copy, type Memory } from './copy.ts';
import type { PrimaryAnswer } from './messages.ts';
import type { Shadowed } from './options.ts';

/** Told of the moments of a sampled exchange at which something is to be done. Called outside the data path's own turn. */
export interface SampleOwner {
  /** The primary's answer has begun, or a request with a body and its answer are over: it may be repeated. */
  answered(sample: Sample): void;
  /** The exchange is over. */
  ended(sample: Sample): void;
  /** Something in here failed, and the sample is worthless. */
  failed(sample: Sample, error: unknown): void;
}

/** One sampled exchange, seen from the data path: copies what it is shown, and does nothing else while the data path waits. */
export class Sample {
  readonly of: Shadowed;
  readonly method: string;
  /** Number of `of` in the thread, and of this sample when it was handed over; -1: it wasn't. */
  readonly route: number;
  id = -1;
  /** Who answers the client; empty until somebody does. */
  primary = '';
  /** The request as the primary got it. */
  head = '';
  isWhole = false;
  isOver = false;
  /** Counted as dropped: what comes now is of no interest. */
  isDropped = false;
  readonly sentCopy: Copy;
  readonly answerCopy: Copy;
  #status = 0;
  #answerHead = '';
  #isBroken = false;
  readonly #owner: SampleOwner;

  constructor(of: Shadowed, route: number, method: string, memory: Memory, owner: SampleOwner) {
    this.of = of;
    this.route = route;
    this.method = method;
    this.sentCopy = new Copy(of.rules.maxBody, memory);
    this.answerCopy = new Copy(of.rules.maxBody, memory);
    this.#owner = owner;
  }

  get isSafe(): boolean {
    return this.method === 'GET' || this.method === 'HEAD';
  }

  sent(bytes: Buffer, from: number, to: number): void {
    this.#guard(() => (this.head = bytes.toString('latin1', from, to)));
  }

  sentBody(bytes: Buffer, from: number, to: number): void {
    const isChunked = /\r\ntransfer-encoding:/i.test(this.head);
    this.#guard(() => this.sentCopy.add(bytes, from, to, isChunked));
  }

  answered(upstream: string, status: number, bytes: Buffer, from: number, to: number): void {
    this.#guard(() => {
      this.primary = upstream;
      this.#status = status;
      this.#answerHead = bytes.toString('latin1', from, to);
      const length = /\r\ncontent-length: *(\d+)/i.exec(this.#answerHead)?.[1] ?? '0';
      if (this.method !== 'HEAD') this.answerCopy.announce(Number(length));
      if (this.isSafe) this.#later(() => this.#owner.answered(this));
    });
  }

  answerBody(bytes: Buffer, from: number, to: number, isChunked: boolean): void {
    this.#guard(() => this.answerCopy.add(bytes, from, to, isChunked));
  }

  ended(isWhole: boolean): void {
    this.isWhole = isWhole;
    this.isOver = true;
    this.#later(() => {
      if (isWhole && !this.isSafe) this.#owner.answered(this);
      this.#owner.ended(this);
    });
  }

  /** The body that the primary got, in memory of its own; null when there was none. */
  body(): Uint8Array<ArrayBuffer> | null {
    return /\r\n(?:transfer-encoding|content-length):/i.test(this.head) ? this.sentCopy.whole() : null;
  }

  /** What the primary answered, when the exchange is over; its body in memory of its own. */
  answer(): PrimaryAnswer & { readonly body: Uint8Array<ArrayBuffer> } {
    const body = this.answerCopy.whole();
    return { status: this.#status, head: this.#answerHead, body, isTooLong: this.answerCopy.isTooLong };
  }

  free(): void {
    this.sentCopy.free();
    this.answerCopy.free();
  }

  /** Nothing that goes wrong here may reach the data path. */
  #guard(look: () => unknown): void {
    if (this.#isBroken) return;
    try {
      look();
    } catch (error) {
      this.#isBroken = true;
      this.#owner.failed(this, error);
    }
  }

  #later(tell: () => void): void {
    setImmediate(() => this.#guard(tell));
  }
}
