import type { Answer } from './compare/answer.ts';
import { Copy, type Memory } from './copy.ts';
import { readAnswerLines, readSentHead, type SentHead } from './head-lines.ts';
import type { Shadowed } from './options.ts';

/** Told of the moments of a sampled exchange at which something is sent. Called outside the data path's own turn. */
export interface SampleOwner {
  /** The primary's answer has begun; for a request with a body: it is over. */
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
  /** Who answers the client; empty until somebody does. */
  primary = '';
  isWhole = false;
  isOver = false;
  readonly sentCopy: Copy;
  readonly answerCopy: Copy;
  readonly #copies: Copy[] = [];
  readonly #memory: Memory;
  #status = 0;
  #head = '';
  #answerHead = '';
  #isBroken = false;
  readonly #owner: SampleOwner;

  constructor(of: Shadowed, method: string, memory: Memory, owner: SampleOwner) {
    this.of = of;
    this.method = method;
    this.#memory = memory;
    this.sentCopy = this.newCopy();
    this.answerCopy = this.newCopy();
    this.#owner = owner;
  }

  get isSafe(): boolean {
    return this.method === 'GET' || this.method === 'HEAD';
  }

  sent(bytes: Buffer, from: number, to: number): void {
    this.#guard(() => (this.#head = bytes.toString('latin1', from, to)));
  }

  sentBody(bytes: Buffer, from: number, to: number): void {
    const isChunked = /\r\ntransfer-encoding:/i.test(this.#head);
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

  /** The request as the primary got it. */
  head(): SentHead {
    return readSentHead(this.#head);
  }

  /** The body that the primary got; null when there was none. */
  body(): Uint8Array | null {
    return /\r\n(?:transfer-encoding|content-length):/i.test(this.#head) ? this.sentCopy.whole() : null;
  }

  /** What the primary answered; when the sample is over. */
  answer(): Answer {
    const body = this.answerCopy.whole();
    const isTooLong = this.answerCopy.isTooLong;
    return { status: this.#status, headers: readAnswerLines(this.#answerHead), body, isTooLong };
  }

  /** Room for one more body of this sample, given back with the others. */
  newCopy(): Copy {
    const copy = new Copy(this.of.rules.maxBody, this.#memory);
    this.#copies.push(copy);
    return copy;
  }

  free(): void {
    for (const copy of this.#copies) copy.free();
  }

  /** Nothing that goes wrong here may reach the data path. */
  #guard(look: () => unknown): void {
    if (this.#isBroken) return;
    try {
      look();
    } catch (error) {
      this.#fail(error);
    }
  }

  #later(tell: () => void): void {
    setImmediate(() => this.#guard(tell));
  }

  #fail(error: unknown): void {
    this.#isBroken = true;
    this.#owner.failed(this, error);
  }
}
