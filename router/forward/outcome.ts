import type { Gateway } from './gateway.ts';
import type { AnswerHead } from '../http/answer.ts';
import type { Observation, RequestHead, Route, Watch } from './plan.ts';
import type { FailureKind } from './retry.ts';

/** What becomes of one request, noted as it happens and reported once, at its end. */
export class Outcome {
  /** Status that the client is sent; 0: none so far. */
  status = 0;
  isFallback = false;
  isReported = false;
  readonly requestId: string;
  readonly watch: Watch | null;
  #own: Observation['own'] = null;
  readonly #gateway: Gateway;
  readonly #view: RequestHead;
  readonly #route: Route;
  readonly #startedAt: number;

  constructor(gateway: Gateway, view: RequestHead, route: Route, requestId: string, startedAt: number) {
    this.#gateway = gateway;
    this.#view = view;
    this.#route = route;
    this.requestId = requestId;
    this.#startedAt = startedAt;
    this.watch = route.tap === null ? null : route.tap.watch(view.method);
  }

  /** An upstream's answer begins, and the client gets it. */
  answering(head: AnswerHead): void {
    this.status = head.status;
    if (this.watch !== null)
      this.watch.answered(this.#answerer(), head.status, head.bytes, head.start, head.end);
  }

  #answerer(): string {
    return this.isFallback ? this.#route.fallback! : this.#route.upstream;
  }

  /** What the upstream did. That of the decided one counts, not that of the fallback. */
  upstreamDid(status: number, failure: FailureKind | null): void {
    if (this.isFallback) return;
    this.#own = { status, failure, milliseconds: this.#gateway.now() - this.#startedAt };
  }

  /** The end. `isUpstreams`: the client got an upstream's answer, be it a part of it. */
  report(isUpstreams: boolean, aborted: boolean, now = this.#gateway.now()): void {
    this.isReported = true;
    if (this.watch !== null) this.watch.ended(isUpstreams && !aborted);
    this.#gateway.observe({
      method: this.#view.method,
      path: this.#view.path,
      route: this.#route,
      status: this.status,
      answeredBy: isUpstreams ? this.#answerer() : null,
      own: this.#own,
      milliseconds: now - this.#startedAt,
      aborted,
      requestId: this.requestId,
    });
  }
}

/** Reports an answer of the router's own, given before any upstream was asked; no view: the head was not even valid. */
export function reportOwn(
  gateway: Gateway,
  status: number,
  view: RequestHead | undefined,
  requestId: string,
  startedAt: number,
): void {
  const { method, path } = view ?? { method: '', path: '' };
  const milliseconds = gateway.now() - startedAt;
  gateway.observe({
    method,
    path,
    route: null,
    status,
    answeredBy: null,
    own: null,
    milliseconds,
    aborted: false,
    requestId,
  });
}
