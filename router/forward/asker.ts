import type { Socket } from 'node:net';
import type { AnswerHead } from '../http/answer.ts';
import type { OwnAnswer } from './own-answer.ts';

/** Whom an exchange answers: the client's connection, or an errand that makes several exchanges for it. */
export interface Asker {
  /** What answers are written to. */
  readonly socket: Socket;
  /** Not TLS: what is written is mostly taken by the kernel at once. */
  readonly isPlain: boolean;
  /** Hands the exchange what there is of the request's body. */
  deliverBody(): void;
  /** Where the body comes from: no more of it for now; more again. */
  readonly source: { pause(): unknown; resume(): unknown };
  /** The router answers by itself. */
  answerOwn(answer: OwnAnswer): void;
  /** The answer is complete. */
  over(closes: boolean): void;
  /** The answer is cut. */
  abort(): void;
}

/** Looks at what an exchange came to, before the client does. */
export interface Judge {
  /** The answer is not for the client. `goOn` follows, and the exchange is forgotten. */
  declines(head: AnswerHead): boolean;
  goOn(): null;
  /** Not a byte of the request had left. True: it goes on elsewhere, and the exchange is forgotten. */
  unsent(): boolean;
}

/** What carries out a request, as the client's connection sees it. */
export interface Carrier {
  /** null: the request has no body. */
  readonly body: IncomingBody | null;
  start(): void;
  /** The client sent a piece of the body. Returns what is behind the body; null: nothing, or a fault. */
  pushBody(piece: Buffer): Buffer | null;
  /** The client has taken all that was written to it. */
  clientDrained(): void;
  clientGone(): void;
  /** Looks at the time, about ten times a second. */
  tick(now: number): void;
}

/** A request's body, as the client's connection sees it. */
export interface IncomingBody {
  /** It goes somewhere. */
  readonly isAttached: boolean;
  readonly isDone: boolean;
  /** No more of it is taken for now. */
  readonly isBlocked: boolean;
  /** It goes somewhere, and more is to come. */
  readonly takesPieces: boolean;
  /** Some of what was pushed is still being written, from the very memory. */
  readonly holdsPieces: boolean;
}
