import type { AnswerHead } from '../http/answer.ts';
import { faultOf } from '../http/faults.ts';
import { addedLines, isLast } from './answer-lines.ts';
import { AnswerRelay, type AnswerOwner } from './answer-relay.ts';
import type { Asker, Carrier, Judge } from './asker.ts';
import type { Gateway } from './gateway.ts';
import { Outcome } from './outcome.ts';
import { problem } from './own-answer.ts';
import { TOLD, refusalOf, toldOf, type Told } from './refusals.ts';
import { RequestBody, hasBody, sendHead } from './request-body.ts';
import type { Forwarding } from './request.ts';
import { isSafe, isUnwanted, type FailureKind } from './retry.ts';
import type { SocketOwner } from './upstream-socket.ts';
import { Visit } from './visit.ts';

const PHASE = { connecting: 0, sending: 1, waiting: 2, answering: 3, flushing: 4 } as const;

/**
 * One request and its answer. It asks the decided upstream, asks again or elsewhere as retry.ts says, relays the answer, and reports once. It
 * never decides anything about HTTP: the codec did that before, or does it in RequestBody and AnswerRelay.
 */
export class Exchange implements SocketOwner, AnswerOwner, Carrier {
  readonly body: RequestBody | null;
  /** When the current phase has lasted too long. */
  #deadline = Infinity;
  #phase: number = PHASE.connecting;
  #visit: Visit | null = null;
  #totalEnd = Infinity;
  #closes = false;
  readonly #outcome: Outcome;
  readonly #isReplayable: boolean;
  readonly #relay: AnswerRelay;
  readonly #gateway: Gateway;
  readonly #client: Asker;
  readonly #it: Forwarding;
  readonly #judge: Judge | null;

  constructor(gateway: Gateway, client: Asker, it: Forwarding, judge: Judge | null = null) {
    this.#gateway = gateway;
    this.#client = client;
    this.#it = it;
    this.#judge = judge;
    this.body = hasBody(it.head) ? new RequestBody(it.head, it.route.maxBody, gateway.limits) : null;
    this.#isReplayable = this.body === null && judge === null && isSafe(it.head.method);
    this.#outcome = new Outcome(gateway, it.view, it.route, it.ids.requestId, it.startedAt);
    this.#relay = new AnswerRelay(this, client, it.head, this.#outcome, gateway.limits);
  }

  start(): void {
    const { route, head, startedAt } = this.#it;
    if (route.maxBody !== null && head.length > route.maxBody) return this.#tell(TOLD.bodyTooLarge);
    if (route.responseTimeout !== null && !this.body) this.#totalEnd = startedAt + route.responseTimeout;
    this.#enter(route.upstream, this.#judge === null ? startedAt : this.#gateway.now());
  }

  #enter(name: string, now: number): void {
    const upstream = this.#gateway.upstream(name);
    const refusal = refusalOf(upstream);
    if (refusal !== null || !upstream) return this.#tell(refusal ?? TOLD.noUpstream);
    this.#visit = new Visit(upstream, now);
    if (this.body === null) this.#visit.end = now + upstream.options.timeouts.response;
    const instance = this.#visit.choose(now);
    if (instance === null) return this.fail('open');
    this.#ask(instance, this.#isReplayable, now);
  }

  /** Writes take a connection of their own: one that has served before may be closed at any moment, and a write is never sent twice. */
  #ask(instance: Parameters<Visit['ask']>[0], mayReuse: boolean, now: number): void {
    const visit = this.#visit!;
    this.#phase = PHASE.connecting;
    this.#deadline = Math.min(now + visit.upstream.options.timeouts.connect, this.#totalEnd);
    if (visit.ask(instance, this, mayReuse, now)) this.#send(now);
  }

  connected(): void {
    this.#send(this.#gateway.now());
  }

  #send(now: number): void {
    const socket = this.#visit!.socket!;
    sendHead(this.#it, this.body, socket, now, this.#outcome.watch);
    if (this.body === null) return this.#sent(now);
    this.#phase = PHASE.sending;
    this.#deadline = Infinity;
    this.#client.deliverBody();
    if (this.#visit?.socket === socket) this.body.flush();
  }

  /** The whole request has been handed over: the upstream's time begins. */
  #sent(now: number): void {
    const visit = this.#visit!;
    const { route } = this.#it;
    if (this.body !== null) {
      this.body.flush();
      visit.end = now + visit.upstream.options.timeouts.response;
      if (route.responseTimeout !== null) this.#totalEnd = now + route.responseTimeout;
    }
    if (this.#phase >= PHASE.answering) return;
    this.#phase = PHASE.waiting;
    const next = this.#outcome.isFallback ? null : route;
    this.#deadline = visit.deadline(now, this.#totalEnd, this.#isReplayable, next);
  }

  pushBody(piece: Buffer): Buffer | null {
    const body = this.body!;
    const now = this.#gateway.now();
    const end = body.push(piece, now);
    if (end < 0) this.refuseBody(faultOf(end));
    else if (body.isDone) this.#sent(now);
    else if (body.isBlocked) this.#client.source.pause();
    return end < 0 || end === piece.length ? null : piece.subarray(end);
  }

  drained(): void {
    if (this.body?.isBlocked !== true) return;
    this.body.unblock(this.#gateway.now());
    this.#client.source.resume();
  }

  received(buffer: Buffer, from: number, to: number): void {
    const socket = this.#visit!.socket!;
    this.#relay.received(socket, buffer, from, to);
    if (this.#phase !== PHASE.answering) return;
    const { slowReaderMs, answerIdleMs } = this.#gateway.limits;
    this.#deadline = this.#gateway.coarseNow() + (this.#relay.isBlocked ? slowReaderMs : answerIdleMs);
    if (this.#relay.isBlocked) socket.socket.pause();
  }

  clientDrained(): void {
    if (!this.#relay.isBlocked) return;
    this.#relay.isBlocked = false;
    if (this.#phase === PHASE.flushing) return this.#end(false);
    this.#deadline = this.#gateway.now() + this.#gateway.limits.answerIdleMs;
    this.#visit?.socket?.socket.resume();
  }

  accept(head: AnswerHead, isUntilClose: boolean): string | null {
    const { route } = this.#it;
    this.#outcome.upstreamDid(head.status, null);
    if (this.#judge?.declines(head)) {
      this.#leave('success');
      return this.#judge.goOn();
    }
    const mayReplace = route.fallback !== null && !this.#outcome.isFallback && !this.#relay.hasBegun;
    if (mayReplace && isUnwanted(head.status, this.#isReplayable, this.body !== null, route.fallbackOn))
      return this.#fallBack();
    this.#phase = PHASE.answering;
    this.#outcome.answering(head);
    const isDone = this.body === null || this.body.isDone;
    this.#closes = this.#gateway.isDraining() || isLast(this.#it.head, isDone, head, isUntilClose);
    return addedLines(head, route, this.#it.head.minor, this.#closes);
  }

  continued(): void {
    this.body?.allow(this.#gateway.now());
  }

  answered(isClean: boolean): void {
    const now = this.#gateway.now();
    this.#visit!.answered(isClean && (this.body === null || this.body.isDone), now);
    this.#visit = null;
    if (!this.#relay.isBlocked) return this.#end(false, now);
    this.#phase = PHASE.flushing;
    this.#deadline = now + this.#gateway.limits.slowReaderMs;
  }

  finished(): void {
    if (!this.#relay.finished()) this.closed();
  }

  closed(): void {
    this.fail(this.#phase === PHASE.connecting ? 'connect' : 'reset');
  }

  tick(now: number): void {
    if (this.#phase < PHASE.answering && this.body?.isTooSlow(now)) return this.refuseBody(TOLD.bodyTooSlow);
    const isUpstreamSlow = this.#phase === PHASE.sending && this.#visit!.isStuck(this.body!, now);
    if ((now < this.#deadline && !isUpstreamSlow) || this.#outcome.isReported) return;
    if (this.#relay.isBlocked) return this.#end(true);
    this.fail(this.#phase === PHASE.connecting ? 'connect' : 'timeout');
  }

  /** The try came to nothing: again, elsewhere, or the client is told. */
  fail(kind: FailureKind): void {
    const visit = this.#visit;
    if (visit === null) return;
    const now = this.#gateway.now();
    const tried = visit.tried(kind, now, this.#relay);
    const isUnsent = this.#phase === PHASE.connecting;
    const here = { isUnsent, hasTime: now < this.#totalEnd, isReplayable: this.#isReplayable };
    const step = visit.afterwards(
      { ...tried, ...here, isFallback: this.#outcome.isFallback },
      this.#it.route,
      now,
    );
    visit.failed(tried, now);
    this.#relay.restart();
    if (step === 'again') return this.#ask(tried.same!, false, now);
    if (step === 'other') return this.#ask(tried.other!, this.#isReplayable, now);
    this.#outcome.upstreamDid(this.#relay.hasHead ? this.#outcome.status : 0, kind);
    this.#leave(null);
    if (step === 'fallback') return void this.#fallBack();
    if (this.#relay.hasHead) return this.#end(true);
    if (isUnsent && this.#judge?.unsent()) return;
    this.#tell(toldOf(kind, this.#it.route));
  }

  #fallBack(): null {
    this.#leave('success');
    this.#outcome.isFallback = true;
    this.#enter(this.#it.route.fallback!, this.#gateway.now());
    return null;
  }

  #leave(event: 'success' | null): void {
    this.#visit?.leave(event, this.#gateway.now());
    this.#visit = null;
    this.#relay.restart();
  }

  /** The router answers itself. */
  #tell(told: Told): void {
    this.#outcome.status = told.status;
    this.#outcome.report(false, told === TOLD.bodyTooSlow);
    this.#client.answerOwn(problem(told));
  }

  /** A fault in the request's body: no complete request has reached the upstream, and none will. */
  refuseBody(told: Told): void {
    if (this.#relay.hasHead) return this.#end(true);
    this.#leave(null);
    this.#tell(told);
  }

  /** The client is gone: so is the request, and nobody is to blame. */
  clientGone(): void {
    if (this.#outcome.isReported) return;
    this.#leave(null);
    this.#outcome.report(this.#relay.hasHead, true);
  }

  /** The end. `isCut`: in the middle of the answer, so that nobody takes a part for the whole. */
  #end(isCut: boolean, now = this.#gateway.now()): void {
    if (this.#outcome.isReported) return;
    this.#leave(null);
    this.#outcome.report(true, isCut, now);
    if (isCut) this.#client.abort();
    else this.#client.over(this.#closes);
  }
}
