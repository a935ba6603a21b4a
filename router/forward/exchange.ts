import type { AnswerHead } from '../http/answer.ts';
import { writeRequestHead } from '../http/outgoing.ts';
import { addedLines } from './answer-lines.ts';
import { AnswerRelay, type AnswerOwner } from './answer-relay.ts';
import type { ClientConnection } from './client.ts';
import type { Gateway } from './gateway.ts';
import { Outcome } from './outcome.ts';
import { TOLD, TOLD_OF_FAILURE, type Told } from './refusals.ts';
import { RequestBody, hasBody } from './request-body.ts';
import type { Forwarding } from './request.ts';
import { afterFailure, isSafe, mayFallBack, type FailureKind } from './retry.ts';
import { sendScratch } from './scratch.ts';
import type { SocketOwner } from './upstream-socket.ts';
import { Visit } from './visit.ts';

const PHASE = { connecting: 0, sending: 1, waiting: 2, answering: 3, flushing: 4, over: 5 } as const;

/**
 * One request and its answer. It asks the decided upstream, asks again or elsewhere as retry.ts says, relays the answer, and reports once. It
 * never decides anything about HTTP: the codec did that before, or does it in RequestBody and AnswerRelay.
 */
export class Exchange implements SocketOwner, AnswerOwner {
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
  readonly #client: ClientConnection;
  readonly #it: Forwarding;

  constructor(gateway: Gateway, client: ClientConnection, it: Forwarding) {
    this.#gateway = gateway;
    this.#client = client;
    this.#it = it;
    this.body = hasBody(it.head) ? new RequestBody(it.head, it.route.maxBody, gateway.limits) : null;
    this.#isReplayable = this.body === null && isSafe(it.head.method);
    this.#outcome = new Outcome(gateway, it.view, it.route, it.ids.requestId, it.startedAt);
    this.#relay = new AnswerRelay(this, client, it.head, it.ids.requestId, gateway.limits);
  }

  start(): void {
    const { route, head, startedAt } = this.#it;
    if (route.maxBody !== null && head.length > route.maxBody) return this.#tell(TOLD.bodyTooLarge);
    if (route.responseTimeout !== null && this.body === null)
      this.#totalEnd = startedAt + route.responseTimeout;
    this.#enter(route.upstream);
  }

  #enter(name: string): void {
    const upstream = this.#gateway.upstream(name);
    if (!upstream) return this.#tell(TOLD.noUpstream);
    const { maxInFlight, timeouts } = upstream.options;
    if (upstream.inFlight >= maxInFlight) return this.#tell(TOLD.overloaded);
    const now = this.#gateway.now();
    this.#visit = new Visit(upstream, now);
    if (this.body === null) this.#visit.end = now + timeouts.response;
    const instance = this.#visit.choose(now);
    if (instance === null) this.#fail('open');
    else this.#ask(instance, this.#isReplayable);
  }

  /** Writes take a connection of their own: one that has served before may be closed at any moment, and a write is never sent twice. */
  #ask(instance: Parameters<Visit['ask']>[0], mayReuse: boolean): void {
    const visit = this.#visit!;
    const now = this.#gateway.now();
    this.#phase = PHASE.connecting;
    this.#deadline = Math.min(now + visit.upstream.options.timeouts.connect, this.#totalEnd);
    if (visit.ask(instance, this, mayReuse, now)) this.connected();
  }

  connected(): void {
    const { head, target, route } = this.#it;
    const socket = this.#visit!.socket!;
    const length = writeRequestHead(head, target, this.#it, route, socket.instance.authority);
    if (this.body === null) {
      sendScratch(socket.socket, length, !socket.instance.isTls);
      return this.#sent();
    }
    this.#phase = PHASE.sending;
    this.body.attach(socket, length, this.#gateway.now());
    this.#wait();
    this.#client.deliverBody();
    if (this.#visit?.socket === socket) this.body.flush();
  }

  /** The whole request has been handed over: the upstream's time begins. */
  #sent(): void {
    const now = this.#gateway.now();
    const visit = this.#visit!;
    const { route } = this.#it;
    if (this.body !== null) {
      visit.end = now + visit.upstream.options.timeouts.response;
      if (route.responseTimeout !== null) this.#totalEnd = now + route.responseTimeout;
    }
    if (this.#phase >= PHASE.answering) return;
    this.#phase = PHASE.waiting;
    const isReplayable = this.#isReplayable;
    const { isFallback } = this.#outcome;
    const hasFallback = mayFallBack({ kind: 'timeout', isReplayable, isFallback, hasBegun: false }, route);
    this.#deadline = visit.deadline(now, this.#totalEnd, isReplayable, hasFallback);
  }

  /** The client sent a piece of the body. Returns the position behind it, or the number of a fault. */
  pushBody(buffer: Buffer, from: number, to: number): number {
    const body = this.body!;
    const end = body.push(buffer, from, to);
    if (end < 0) return end;
    if (body.isDone) {
      body.flush();
      this.#sent();
    } else {
      if (body.isBlocked) this.#client.pause();
      this.#wait();
    }
    return end;
  }

  /** In the middle of a body the upstream's time runs only while it is the upstream that is waited for. */
  #wait(): void {
    if (this.#phase !== PHASE.sending) return;
    const isUpstreams = this.body!.isBlocked || this.body!.isAwaited;
    this.#deadline = isUpstreams
      ? this.#gateway.now() + this.#visit!.upstream.options.timeouts.response
      : Infinity;
  }

  drained(): void {
    const { body } = this;
    if (body === null || !body.isBlocked) return;
    body.isBlocked = false;
    body.openWindow(this.#gateway.now());
    this.#wait();
    this.#client.resume();
  }

  received(buffer: Buffer, from: number, to: number): void {
    const socket = this.#visit!.socket!;
    this.#relay.received(socket, buffer, from, to);
    if (this.#phase !== PHASE.answering) return;
    const { limits } = this.#gateway;
    if (this.#relay.isBlocked) {
      socket.socket.pause();
      this.#deadline = this.#gateway.now() + limits.slowReaderMs;
    } else this.#deadline = this.#gateway.coarseNow() + limits.answerIdleMs;
  }

  /** The client has taken all that was written to it. */
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
    // 421 promises that nothing was done (RFC 9110 section 15.5.20).
    const isUnwanted =
      (head.status >= 500 && this.#isReplayable && route.fallbackOn.serverError) ||
      (head.status === 421 && this.body === null);
    if (isUnwanted && route.fallback !== null && !this.#outcome.isFallback && !this.#relay.hasBegun) {
      this.#leave('success');
      this.#outcome.isFallback = true;
      this.#enter(route.fallback);
      return null;
    }
    this.#phase = PHASE.answering;
    this.#outcome.status = head.status;
    const { minor, keepAlive } = this.#it.head;
    const isUnfinished = this.body !== null && !this.body.isDone;
    this.#closes =
      !keepAlive ||
      isUnfinished ||
      this.#gateway.isDraining() ||
      (minor === 0 && (isUntilClose || head.chunked));
    return addedLines(head, route, minor, this.#closes);
  }

  continued(): void {
    if (this.body === null) return;
    this.body.isAwaited = false;
    this.body.openWindow(this.#gateway.now());
    this.#wait();
  }

  answered(isClean: boolean): void {
    const now = this.#gateway.now();
    this.#visit!.answered(isClean && (this.body === null || this.body.isDone), now);
    this.#visit = null;
    if (!this.#relay.isBlocked) return this.#end(false);
    this.#phase = PHASE.flushing;
    this.#deadline = now + this.#gateway.limits.slowReaderMs;
  }

  malformed(): void {
    this.#fail('protocol');
  }

  finished(): void {
    if (!this.#relay.finished()) this.closed();
  }

  closed(): void {
    this.#fail(this.#phase === PHASE.connecting ? 'connect' : 'reset');
  }

  /** Looks at the time. */
  tick(now: number): void {
    if (this.#phase < PHASE.answering && this.body?.isTooSlow(now)) return this.refuseBody(TOLD.bodyTooSlow);
    if (now < this.#deadline || this.#phase === PHASE.over) return;
    if (this.#relay.isBlocked) return this.#cut();
    this.#fail(this.#phase === PHASE.connecting ? 'connect' : 'timeout');
  }

  #fail(kind: FailureKind): void {
    const visit = this.#visit;
    if (visit === null) return;
    const now = this.#gateway.now();
    const { route } = this.#it;
    const { instance, tries } = visit;
    const isStale = visit.isReused && kind === 'reset' && !this.#relay.hasReceived;
    const isUnsent = this.#phase === PHASE.connecting;
    const { hasBegun, hasHead } = this.#relay;
    const other = kind === 'open' ? null : visit.choose(now);
    const failed = {
      kind,
      hasBegun,
      isReplayable: this.#isReplayable,
      isUnsent,
      isStale,
      tries,
      hasOther: other !== null,
      hasTime: now < this.#totalEnd,
      isFallback: this.#outcome.isFallback,
    };
    let step = afterFailure(failed, route);
    if (step === 'other' && !visit.upstream.budget.take(now))
      step = mayFallBack(failed, route) ? 'fallback' : 'tell';
    visit.drop(isStale ? null : 'failure', now);
    this.#relay.restart();
    if (step === 'again') return this.#ask(instance!, false);
    if (step === 'other') return this.#ask(other!, this.#isReplayable);
    this.#outcome.upstreamDid(hasHead ? this.#outcome.status : 0, kind);
    this.#leave(null);
    if (step === 'fallback') {
      this.#outcome.isFallback = true;
      return this.#enter(route.fallback!);
    }
    if (hasHead) return this.#cut();
    this.#tell(TOLD_OF_FAILURE[kind]);
  }

  #leave(event: 'success' | null): void {
    this.#visit?.leave(event, this.#gateway.now());
    this.#visit = null;
    this.#relay.restart();
  }

  /** The router answers itself. */
  #tell(told: Told): void {
    this.#outcome.status = told.status;
    this.#report(false, told === TOLD.bodyTooSlow);
    this.#client.answerProblem(told);
  }

  /** A fault in the request's body: no complete request has reached the upstream, and none will. */
  refuseBody(told: Told): void {
    this.#leave(null);
    if (this.#relay.hasHead) this.#cut();
    else this.#tell(told);
  }

  /** The client's connection ends in the middle of its answer, so that nobody takes a part for the whole. */
  #cut(): void {
    this.#leave(null);
    this.#end(true);
  }

  /** The client is gone: so is the request, and nobody is to blame. */
  clientGone(): void {
    if (this.#phase === PHASE.over) return;
    this.#leave(null);
    this.#report(this.#relay.hasHead, true);
  }

  #end(isCut: boolean): void {
    if (this.#phase === PHASE.over) return;
    this.#report(true, isCut);
    if (isCut) this.#client.abort();
    else this.#client.over(this.#closes);
  }

  #report(isUpstreams: boolean, aborted: boolean): void {
    this.#phase = PHASE.over;
    this.#outcome.report(isUpstreams, aborted);
  }
}
