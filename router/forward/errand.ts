import type { Socket } from 'node:net';
import { fieldOf, type AnswerHead } from '../http/answer.ts';
import { faultOf } from '../http/faults.ts';
import type { Asker, Carrier, Judge } from './asker.ts';
import type { ClientConnection } from './client.ts';
import { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';
import { Outcome } from './outcome.ts';
import { problem, type OwnAnswer } from './own-answer.ts';
import type { NamedHome, WriteHomes } from './plan.ts';
import { TOLD, type Told } from './refusals.ts';
import { hasBody } from './request-body.ts';
import type { Forwarding } from './request.ts';
import type { SpoolOwner } from './spool.ts';
import { SpooledBody } from './spooled-body.ts';

/** Longest body, in bytes, where the route says nothing. */
const DEFAULT_MAX_BODY = 32 * 1024 * 1024;
/** How often a write follows what a side says without waiting: a side that knew less than the other corrects itself once. */
const MAX_HOPS = 2;
/** Pauses before a write is tried again whose home is handed over, in milliseconds. A handover takes some 15; most wait once. */
const PAUSES: readonly number[] = [25, 50, 100, 200, 400, 400, 400, 400];
/** Longest time between the first pause and the last try, in milliseconds. */
const MAX_HOLD = 2000;

/**
 * A write of rows that move. Only their home does it; the other side answers 421, or 404 for what it lacks yet, and has done nothing. So the write goes on:
 * one exchange after the other, of which only the last is seen by the client and the observers. The body is kept until then. What may have been done is
 * never done again: beside those two answers a write goes on only where not a byte of it had left.
 */
export class Errand implements Carrier, Asker, Judge, SpoolOwner {
  readonly body: SpooledBody | null;
  readonly isPlain: boolean;
  readonly socket: Socket;
  /** The next piece is read when there is room for it, so there is nothing to pause. */
  readonly source = { pause: () => undefined, resume: () => this.deliverBody() };
  #exchange: Exchange | null = null;
  #isOver = false;
  #asked: string;
  #hops = 0;
  #pauses = 0;
  #heldSince = 0;
  #timer: NodeJS.Timeout | null = null;
  /** What the last 421 said, or after a 404 who is left to be asked: a guess. */
  #named: NamedHome | null = null;
  #isGuess = false;
  readonly #refused = new Set<string>();
  readonly #down = new Set<string>();
  /** How much of the body the exchange has. */
  #sent = 0;
  #isReading = false;
  readonly #maxBody: number;
  readonly #homes: WriteHomes;
  readonly #gateway: Gateway;
  readonly #client: ClientConnection;
  readonly #it: Forwarding;

  constructor(gateway: Gateway, client: ClientConnection, it: Forwarding, homes: WriteHomes) {
    this.#gateway = gateway;
    this.#client = client;
    this.#it = it;
    this.#homes = homes;
    this.#asked = it.route.upstream;
    this.#maxBody = it.route.maxBody ?? DEFAULT_MAX_BODY;
    this.socket = client.socket;
    this.isPlain = client.isPlain;
    const { limits, spoolFolder: folder } = gateway;
    this.body = hasBody(it.head)
      ? new SpooledBody(it.head, this.#maxBody, { folder, now: gateway.now(), limits }, this)
      : null;
  }

  start(): void {
    const { head } = this.#it;
    if (this.body === null) return this.#ask(this.#asked);
    if (head.length > this.#maxBody) return this.#tell(TOLD.bodyTooLarge);
    if (head.expectsContinue) {
      // It is the router that reads the body, so it is the router that says to go on; the upstream gets what is there.
      head.expectsContinue = false;
      this.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    }
    this.#client.deliverBody();
  }

  pushBody(piece: Buffer): Buffer | null {
    const body = this.body!;
    const end = body.push(piece);
    if (this.#isOver) return null;
    if (end < 0) this.#tell(faultOf(end));
    else if (body.isDone) body.spool.finish(() => this.#spooled());
    else if (body.isBlocked) this.socket.pause();
    return end < 0 || end === piece.length ? null : piece.subarray(end);
  }

  spoolDrained(): void {
    this.body!.unblock(this.#gateway.now());
    if (!this.body!.isDone) this.socket.resume();
  }

  spoolFailed(error: Error): void {
    this.#gateway.log.error({ err: error }, 'a body could not be kept on the disk');
    if (this.#isOver) return;
    // Asked already: the upstream has a part, and can't have taken it for the whole.
    if (this.#exchange === null) this.#tell(TOLD.noSpool);
    else this.#exchange.refuseBody(TOLD.noSpool);
  }

  #spooled(): void {
    if (this.#isOver) return;
    if (this.body!.spool.written > 0) this.#homes.spooled(this.body!.spool.written);
    this.#ask(this.#asked);
  }

  #ask(upstream: string): void {
    this.#asked = upstream;
    this.#sent = 0;
    this.#isReading = false;
    const route = upstream === this.#it.route.upstream ? this.#it.route : this.#homes.at(upstream);
    this.#exchange = new Exchange(this.#gateway, this, { ...this.#it, route }, this);
    this.#exchange.start();
  }

  /** Gives the exchange its next pieces, until it takes no more. */
  deliverBody(): void {
    const exchange = this.#exchange;
    if (this.body === null || this.#isReading || this.#sent >= this.body.spool.size) return;
    this.#isReading = true;
    this.body.spool.read(this.#sent, (piece) => {
      // Meanwhile another exchange may have begun, which reads from the start.
      if (this.#isOver || exchange === null || exchange !== this.#exchange) return;
      this.#isReading = false;
      this.#sent += piece.length;
      exchange.pushBody(piece);
      if (exchange === this.#exchange && exchange.body?.isBlocked === false) this.deliverBody();
    });
  }

  declines(head: AnswerHead): boolean {
    const { path } = this.#it.view;
    if (head.status === 404) return this.#doubts();
    if (head.status !== 421) {
      if (head.status < 400) this.#homes.settled(path, this.#asked, this.#isGuess ? null : this.#named);
      return false;
    }
    this.#refused.add(this.#asked);
    this.#isGuess = false;
    this.#named = this.#homes.misdirected(path, fieldOf(head, 'strangler-home'));
    return true;
  }

  /**
   * A side refuses with 421 only what it has, and lacks what its home has only just made. A 404 holds where the other side has named this one
   * as the home, and where that lacks it too; what was known of homes before may be out of date.
   */
  #doubts(): boolean {
    const named = this.#named;
    const other = this.#homes.sides.find((side) => side !== this.#asked);
    if (other === undefined || (named?.upstream === this.#asked && !named.isMoving)) return false;
    this.#refused.add(this.#asked);
    this.#isGuess = true;
    this.#named = { upstream: other, epoch: 0, isMoving: false };
    return true;
  }

  goOn(): null {
    this.#exchange = null;
    const named = this.#named;
    if (named === null) this.#tell(TOLD.homeUnknown);
    else if (this.#down.has(named.upstream)) this.#tell(TOLD.homeDown);
    else if (named.upstream === this.#asked || named.isMoving || this.#hops >= MAX_HOPS) this.#hold(named);
    else {
      this.#hops++;
      this.#ask(named.upstream);
    }
    return null;
  }

  /** It is being handed over, or each side takes the other one for the home. */
  #hold(named: NamedHome): void {
    const now = this.#gateway.now();
    if (this.#pauses === 0) {
      this.#heldSince = now;
      this.#homes.held();
    }
    const pause = PAUSES[this.#pauses++];
    if (pause === undefined || now + pause - this.#heldSince > MAX_HOLD) return this.#tell(TOLD.homeMoves);
    this.#timer = setTimeout(() => this.#ask(named.upstream), pause);
  }

  /** Who is not there may not be the home at all: the other side knows, if it has not been asked yet. */
  unsent(): boolean {
    this.#down.add(this.#asked);
    const other = this.#homes.sides.find((side) => side !== this.#asked);
    if (other === undefined || this.#down.has(other) || this.#refused.has(other)) return false;
    this.#ask(other);
    return true;
  }

  clientDrained(): void {
    this.#exchange?.clientDrained();
  }

  tick(now: number): void {
    if (this.#exchange !== null) this.#exchange.tick(now);
    else if (!this.#isOver && this.body?.isTooSlow(now)) this.#tell(TOLD.bodyTooSlow);
  }

  clientGone(): void {
    if (this.#isOver) return;
    const exchange = this.#exchange;
    this.#end();
    if (exchange !== null) exchange.clientGone();
    else this.#report(0, true);
  }

  answerOwn(answer: OwnAnswer): void {
    this.#end();
    this.#client.answerOwn(answer);
  }

  over(closes: boolean): void {
    this.#end();
    this.#client.over(closes);
  }

  abort(): void {
    this.#end();
    this.#client.abort();
  }

  /** The router answers, with no exchange under way that would report it. */
  #tell(told: Told): void {
    this.#report(told.status, told === TOLD.bodyTooSlow);
    this.answerOwn(problem(told));
  }

  #report(status: number, isAborted: boolean): void {
    const { view, route, ids, startedAt } = this.#it;
    const outcome = new Outcome(this.#gateway, view, route, ids.requestId, startedAt);
    outcome.status = status;
    outcome.report(false, isAborted);
  }

  #end(): void {
    this.#isOver = true;
    this.#exchange = null;
    this.body?.spool.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
