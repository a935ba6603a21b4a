import type { BreakerEvent } from '../instances/breaker.ts';
import type { Instance } from '../instances/instance.ts';
import { tryDeadline } from './deadline.ts';
import type { Route } from './plan.ts';
import type { RequestBody } from './request-body.ts';
import { afterFailure, mayFallBack, type Failed, type FailureKind } from './retry.ts';
import type { Upstream } from './upstream.ts';
import { UpstreamSocket, type SocketOwner } from './upstream-socket.ts';

/** The tries of one exchange at one upstream: which instance is being asked, on which connection, and which were asked before. */
export class Visit {
  readonly upstream: Upstream;
  instance: Instance | null = null;
  socket: UpstreamSocket | null = null;
  tries = 0;
  /** The connection has served before, so the upstream may have closed it as idle. */
  isReused = false;
  /** When the upstream's `response` time is used up, all tries together. */
  end = Infinity;
  #tried: readonly Instance[] = NONE;
  #askedAt = 0;

  constructor(upstream: Upstream, now: number) {
    this.upstream = upstream;
    upstream.inFlight++;
    upstream.budget.request(now);
  }

  /** An instance that was not asked yet and may be; null when there is none. */
  choose(now: number): Instance | null {
    return this.upstream.choose(now, this.#tried);
  }

  /** Asks an instance. True when the connection is there already. */
  ask(instance: Instance, owner: SocketOwner, mayReuse: boolean, now: number): boolean {
    this.tries++;
    this.instance = instance;
    this.#askedAt = now;
    if (!this.#tried.includes(instance)) this.#tried = [...this.#tried, instance];
    instance.begin(now);
    const idle = mayReuse ? this.upstream.take(instance, owner) : null;
    this.isReused = idle !== null;
    this.socket = idle ?? new UpstreamSocket(instance, owner);
    return this.isReused;
  }

  /** When the try that waits for its answer is given up. `next` is the route if its fallback is still to come. */
  deadline(now: number, total: number, isReplayable: boolean, next: Route | null): number {
    const hasFallback = isReplayable && next !== null && next.fallback !== null && next.fallbackOn.timeout;
    const hasOther = isReplayable && this.tries === 1 && this.choose(now) !== null;
    return tryDeadline({ now, total, visit: this.end, hasOther, hasFallback });
  }

  /** The answer is complete: the connection goes back when it may serve again. */
  answered(mayServeAgain: boolean, now: number): void {
    const { socket } = this;
    this.socket = null;
    if (mayServeAgain && !this.instance!.isRetired) this.upstream.release(socket!, now);
    else socket!.destroy();
    this.leave('success', now);
  }

  /** What retry.ts wants to know about a try that failed, and who could be asked next. */
  tried(
    kind: FailureKind,
    now: number,
    { hasReceived, hasBegun }: { readonly hasReceived: boolean; readonly hasBegun: boolean },
  ): Pick<Failed, 'kind' | 'isStale' | 'tries' | 'hasOther' | 'hasBegun'> & {
    other: Instance | null;
    same: Instance | null;
  } {
    const other = kind === 'open' ? null : this.choose(now);
    const isStale = this.isReused && kind === 'reset' && !hasReceived;
    return {
      kind,
      isStale,
      tries: this.tries,
      hasOther: other !== null,
      other,
      same: this.instance,
      hasBegun,
    };
  }

  /**
   * What follows a failed try here. Another instance costs the budget, unless there was nobody who could have had work by it: a dead instance must not use up
   * what stalled ones need. Without budget it is the fallback's turn, if there is one.
   */
  afterwards(
    failed: Failed,
    route: Pick<Route, 'fallback' | 'fallbackOn'>,
    now: number,
  ): ReturnType<typeof afterFailure> {
    const step = afterFailure(failed, route);
    if (step !== 'other' || failed.isUnsent || this.upstream.budget.take(now)) return step;
    return mayFallBack(failed, route) ? 'fallback' : 'tell';
  }

  /** True when the upstream has not taken the body for longer than it may take to answer. */
  isStuck(body: RequestBody, now: number): boolean {
    return body.isStuck(now, this.upstream.options.timeouts.response);
  }

  /** The current try came to nothing. Nobody is to blame for a connection that was idle too long. */
  failed({ kind, isStale }: Pick<Failed, 'kind' | 'isStale'>, now: number): void {
    const isSilent = kind === 'timeout' && this.upstream.isSpread && this.instance!.heardAt < this.#askedAt;
    this.drop(isStale ? null : isSilent ? 'silence' : 'failure', now);
  }

  /** Ends the current try; null: its end says nothing about the instance. */
  drop(event: BreakerEvent | null, now: number): void {
    this.socket?.destroy();
    this.socket = null;
    this.instance?.end(event, now);
    this.instance = null;
  }

  /** Ends the visit. */
  leave(event: BreakerEvent | null, now: number): void {
    this.drop(event, now);
    this.upstream.inFlight--;
  }
}

const NONE: readonly Instance[] = [];
