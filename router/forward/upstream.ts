import { choose } from '../instances/choice.ts';
import type { BreakerOptions } from '../instances/breaker.ts';
import { Instance, type InstanceStatus } from '../instances/instance.ts';
import { RetryBudget } from './budget.ts';
import type { UpstreamOptions } from './plan.ts';
import type { SocketOwner, UpstreamSocket } from './upstream-socket.ts';

/** An upstream as the admin API shows it. */
export interface UpstreamStatus {
  readonly name: string;
  readonly inFlight: number;
  readonly retries: number;
  readonly instances: readonly InstanceStatus[];
}

export interface UpstreamLimits {
  /** Unused connections kept per instance. */
  readonly idleSockets: number;
  readonly breaker: BreakerOptions;
  readonly random: () => number;
}

/**
 * One upstream: its instances, their breakers, and the connections to them. The connection that was used last is used next: it is the one least
 * likely to have been closed, and the others get the chance to time out.
 */
export class Upstream {
  options: UpstreamOptions;
  inFlight = 0;
  readonly budget = new RetryBudget();
  #instances: Instance[] = [];
  readonly #idle = new Map<Instance, UpstreamSocket[]>();
  readonly #limits: UpstreamLimits;

  constructor(options: UpstreamOptions, limits: UpstreamLimits) {
    this.options = options;
    this.#limits = limits;
    this.configure(options);
  }

  /** Takes new options; instances that stay keep their breaker and connections, removed ones finish what they have. */
  configure(options: UpstreamOptions): void {
    this.options = options;
    const kept = this.#instances.filter(({ url }) => options.urls.includes(url));
    for (const instance of this.#instances) if (!kept.includes(instance)) this.#retire(instance);
    const added = options.urls
      .filter((url) => !kept.some((instance) => instance.url === url))
      .map((url) => new Instance(url, this.#limits.breaker));
    for (const instance of added) this.#idle.set(instance, []);
    this.#instances = [...kept, ...added];
  }

  /** There are others to ask than the one that is asked. */
  get isSpread(): boolean {
    return this.#instances.length > 1;
  }

  /** An instance that may be asked and is not among `tried`; null when there is none. */
  choose(now: number, tried: readonly Instance[]): Instance | null {
    const only = this.#instances.length === 1 ? this.#instances[0]! : null;
    if (only !== null) return tried.length === 0 && only.admits(now) ? only : null;
    return choose(
      this.#instances.filter((instance) => instance.admits(now) && !tried.includes(instance)),
      this.#limits.random,
    );
  }

  /** An idle connection to the instance, the one used last; null when there is none. */
  take(instance: Instance, owner: SocketOwner): UpstreamSocket | null {
    const idle = this.#idle.get(instance);
    for (let socket = idle?.pop(); socket !== undefined; socket = idle?.pop()) {
      if (socket.isClosed) continue;
      socket.owner = owner;
      return socket;
    }
    return null;
  }

  /** Gives a connection back whose exchange ended cleanly. */
  release(socket: UpstreamSocket, now: number): void {
    const idle = this.#idle.get(socket.instance);
    const patience = Math.min(this.options.timeouts.idle, socket.promisedIdle);
    if (!idle || idle.length >= this.#limits.idleSockets || socket.isClosed || patience <= 0)
      return socket.destroy();
    socket.owner = null;
    socket.served++;
    socket.idleUntil = now + patience;
    idle.push(socket);
  }

  /** Closes connections that have been idle too long. */
  sweep(now: number): void {
    for (const [instance, idle] of this.#idle) {
      const isOver = (socket: UpstreamSocket): boolean => socket.isClosed || socket.idleUntil <= now;
      if (!idle.some(isOver)) continue;
      for (const socket of idle) if (isOver(socket)) socket.destroy();
      this.#idle.set(
        instance,
        idle.filter((socket) => !isOver(socket)),
      );
    }
  }

  /** Origins of the instances that may be asked. */
  urls(now: number): string[] {
    return this.#instances.filter((instance) => instance.admits(now)).map(({ url }) => url);
  }

  close(): void {
    for (const instance of this.#instances) this.#retire(instance);
    this.#instances = [];
  }

  #retire(instance: Instance): void {
    instance.isRetired = true;
    for (const socket of this.#idle.get(instance) ?? []) socket.destroy();
    this.#idle.delete(instance);
  }

  status(): UpstreamStatus {
    const instances = this.#instances.map((instance) => ({
      url: instance.url,
      breaker: instance.breaker.state,
      inFlight: instance.inFlight,
      requests: instance.requests,
      failures: instance.failures,
      idleSockets: this.#idle.get(instance)?.filter((socket) => !socket.isClosed).length ?? 0,
    }));
    return { name: this.options.name, inFlight: this.inFlight, retries: this.budget.total, instances };
  }
}
