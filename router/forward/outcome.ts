import type { Gateway } from './gateway.ts';
import type { Observation, RequestHead, Route } from './plan.ts';
import type { FailureKind } from './retry.ts';

/** What becomes of one request, noted as it happens and reported once, at its end. */
export class Outcome {
  /** Status that the client is sent; 0: none so far. */
  status = 0;
  isFallback = false;
  isReported = false;
  #own: Observation['own'] = null;
  readonly #gateway: Gateway;
  readonly #view: RequestHead;
  readonly #route: Route;
  readonly #requestId: string;
  readonly #startedAt: number;

  constructor(gateway: Gateway, view: RequestHead, route: Route, requestId: string, startedAt: number) {
    this.#gateway = gateway;
    this.#view = view;
    this.#route = route;
    this.#requestId = requestId;
    this.#startedAt = startedAt;
  }

  /** What the upstream did. That of the decided one counts, not that of the fallback. */
  upstreamDid(status: number, failure: FailureKind | null): void {
    if (this.isFallback) return;
    this.#own = { status, failure, milliseconds: this.#gateway.now() - this.#startedAt };
  }

  /** The end. `isUpstreams`: the client got an upstream's answer, be it a part of it. */
  report(isUpstreams: boolean, aborted: boolean): void {
    this.isReported = true;
    const answering = this.isFallback ? this.#route.fallback : this.#route.upstream;
    this.#gateway.observe({
      method: this.#view.method,
      path: this.#view.path,
      route: this.#route,
      status: this.status,
      answeredBy: isUpstreams ? answering : null,
      own: this.#own,
      milliseconds: this.#gateway.now() - this.#startedAt,
      aborted,
      requestId: this.#requestId,
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
