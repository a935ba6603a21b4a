import type { IncomingMessage, ServerResponse } from 'node:http';
import { tryDeadline } from '../forward/deadline.ts';
import type { Route } from '../forward/plan.ts';
import { TOLD, TOLD_OF_FAILURE, refusalOf, type Told } from '../forward/refusals.ts';
import { afterFailure, isSafe, isUnwanted, mayFallBack, type FailureKind } from '../forward/retry.ts';
import type { Upstream } from '../forward/upstream.ts';
import type { BreakerEvent } from '../instances/breaker.ts';
import type { Instance } from '../instances/instance.ts';
import { answerLines, setLines } from './answer-head.ts';
import type { Try } from './lane.ts';
import { MeteredBody } from './metered-body.ts';
import { linger, tell } from './own-reply.ts';
import type { OutgoingHeaders, Received } from './received.ts';
import type { Services } from './services.ts';

/** A request that goes to a service. */
export interface Carried {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly received: Received;
  readonly route: Route;
  readonly headers: OutgoingHeaders;
  /** Lets the monolith answer instead: called at most once, and before anything was written or read. */
  fallBack(): void;
}

/**
 * One request and the service's answer: the rules of the router's own exchange (who is asked again, when the monolith answers instead, how long
 * anybody waits), on top of http-proxy-middleware.
 */
export class Carry {
  #upstream: Upstream | null = null;
  #instance: Instance | null = null;
  #try: Try | null = null;
  #body: MeteredBody | null = null;
  #tried: Instance[] = [];
  #tries = 0;
  #isConnected = false;
  #hasBegun = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the upstream's `response` time, and when the route's own time, is used up. */
  #visitEnd = Infinity;
  #totalEnd = Infinity;
  readonly #isReplayable: boolean;
  readonly #services: Services;
  readonly #it: Carried;

  constructor(services: Services, it: Carried) {
    this.#services = services;
    this.#it = it;
    this.#isReplayable = !it.received.hasBody && isSafe(it.received.view.method);
  }

  start(): void {
    const { res, route, received } = this.#it;
    const upstream = this.#services.upstream(route.upstream);
    const refusal = refusalOf(upstream);
    if (refusal !== null || !upstream) return this.#tell(refusal ?? TOLD.noUpstream);
    const now = this.#services.now();
    this.#upstream = upstream;
    upstream.inFlight++;
    upstream.budget.request(now);
    res.once('close', this.#clientGone);
    if (!received.hasBody) {
      this.#visitEnd = now + upstream.options.timeouts.response;
      if (route.responseTimeout !== null) this.#totalEnd = now + route.responseTimeout;
    }
    const instance = upstream.choose(now, []);
    if (instance === null) this.#fail('open', false);
    else this.#ask(instance, this.#isReplayable);
  }

  /** Writes take a connection of their own: one that has served before may be closed at any moment, and a write is never sent twice. */
  #ask(instance: Instance, mayReuse: boolean): void {
    const { req, received, route, headers } = this.#it;
    const { target, view } = received;
    const now = this.#services.now();
    const upstream = this.#upstream!;
    this.#tries++;
    this.#instance = instance;
    if (!this.#tried.includes(instance)) this.#tried.push(instance);
    instance.begin(now);
    this.#isConnected = false;
    if (received.hasBody) {
      const body = new MeteredBody(route.maxBody, this.#bodyTooLarge, this.#moved);
      body.once('end', this.#sent);
      this.#body = body;
    }
    const body = this.#body;
    this.#arm(Math.min(now + upstream.options.timeouts.connect, this.#totalEnd), () =>
      this.#fail(this.#services.now() < this.#totalEnd ? 'connect' : 'timeout', false),
    );
    const outgoing = { method: view.method, url: target.path + target.query, headers, body };
    this.#try = this.#services.lane(instance, upstream).send(outgoing, mayReuse, {
      connected: () => {
        this.#isConnected = true;
        if (body === null) return this.#sent();
        this.#moved();
        body.start(req);
      },
      answered: (answer) => this.#answered(answer),
      failed: (kind, isStale) => this.#fail(kind, isStale),
    });
  }

  /** Bytes of the body pass: the upstream has its `response` time again to take the next ones. A slow client is not its fault. */
  readonly #moved = (): void => {
    if (this.#hasBegun) return;
    this.#arm(this.#services.now() + this.#upstream!.options.timeouts.response, () =>
      this.#body!.readableLength > 0 ? this.#fail('timeout', false) : this.#moved(),
    );
  };

  /** The whole request has been handed over: the upstream's time begins. */
  readonly #sent = (): void => {
    if (this.#hasBegun || this.#isOver) return;
    const now = this.#services.now();
    const { route, received } = this.#it;
    if (received.hasBody) {
      this.#visitEnd = now + this.#upstream!.options.timeouts.response;
      if (route.responseTimeout !== null) this.#totalEnd = now + route.responseTimeout;
    }
    const isReplayable = this.#isReplayable;
    const hasOther = isReplayable && this.#tries === 1 && this.#upstream!.choose(now, this.#tried) !== null;
    const hasFallback = isReplayable && route.fallback !== null && route.fallbackOn.timeout;
    const times = { now, total: this.#totalEnd, visit: this.#visitEnd, hasOther, hasFallback };
    this.#arm(tryDeadline(times), () => this.#fail('timeout', false));
  };

  readonly #bodyTooLarge = (): void => {
    if (this.#hasBegun) return this.#cut(null);
    this.#leave(null);
    this.#tell(TOLD.bodyTooLarge);
  };

  #answered(answer: IncomingMessage): void {
    const { route, received, res } = this.#it;
    const status = answer.statusCode!;
    const isUnfit =
      route.fallback !== null && isUnwanted(status, this.#isReplayable, received.hasBody, route.fallbackOn);
    if (isUnfit) {
      this.#leave('success');
      return this.#it.fallBack();
    }
    const lines = answerLines(answer, route, received.ids.requestId);
    if (lines === null) return this.#fail('protocol', false);
    this.#hasBegun = true;
    setLines(res, lines);
    res.writeHead(status, answer.statusMessage);
    res.flushHeaders();
    const patience = (): void => {
      const { slowReaderMs, answerIdleMs } = this.#services.limits;
      this.#arm(this.#services.now() + (res.writableNeedDrain ? slowReaderMs : answerIdleMs), () =>
        this.#cut(res.writableNeedDrain ? null : 'failure'),
      );
    };
    patience();
    answer.pipe(res);
    answer.on('data', patience);
    answer.once('end', () => {
      if (this.#isOver) return;
      this.#try!.finish();
      this.#try = null;
      this.#leave('success');
      if (received.hasBody) linger(this.#it.req);
    });
    answer.once('close', () => this.#isOver || this.#cut('failure'));
  }

  /** In the middle of an answer: the client must not take a part for the whole. */
  #cut(event: 'failure' | null): void {
    this.#leave(event);
    this.#it.res.destroy();
  }

  /** The try came to nothing: again, elsewhere, the monolith, or the client is told. */
  #fail(kind: FailureKind, isStale: boolean): void {
    if (this.#isOver) return;
    const { route } = this.#it;
    const upstream = this.#upstream!;
    const instance = this.#instance;
    const now = this.#services.now();
    const other = kind === 'open' ? null : upstream.choose(now, this.#tried);
    const failed = {
      kind,
      isStale,
      tries: this.#tries,
      hasOther: other !== null,
      hasBegun: false,
      isReplayable: this.#isReplayable,
      isUnsent: !this.#isConnected,
      hasTime: now < this.#totalEnd,
      isFallback: false,
    };
    let step = afterFailure(failed, route);
    if (step === 'other' && !upstream.budget.take(now))
      step = mayFallBack(failed, route) ? 'fallback' : 'tell';
    this.#drop(isStale ? null : 'failure');
    if (step === 'again') return this.#ask(instance!, false);
    if (step === 'other') return this.#ask(other!, this.#isReplayable);
    this.#leave(null);
    if (step === 'fallback') this.#it.fallBack();
    else this.#tell(TOLD_OF_FAILURE[kind]);
  }

  readonly #clientGone = (): void => this.#leave(null);

  #arm(at: number, action: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, Math.max(0, at - this.#services.now()));
  }

  /** Ends the current try; null: its end says nothing about the instance. */
  #drop(event: BreakerEvent | null): void {
    clearTimeout(this.#timer);
    this.#body?.stop();
    this.#body = null;
    this.#try?.abort();
    this.#try = null;
    this.#instance?.end(event, this.#services.now());
    this.#instance = null;
  }

  /** Ends the visit to the service. */
  #leave(event: BreakerEvent | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#it.res.off('close', this.#clientGone);
    this.#drop(event);
    if (this.#upstream !== null) this.#upstream.inFlight--;
  }

  #tell(told: Told): void {
    const { req, res, received } = this.#it;
    tell(req, res, told, received.ids.requestId);
  }
}
