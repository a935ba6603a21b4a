import {
  CLOSED,
  admits,
  afterEvent,
  type Breaker,
  type BreakerEvent,
  type BreakerOptions,
} from './breaker.ts';

/** One server of an upstream: its address, what is under way to it, and whether it is fit to be asked. */
export class Instance {
  /** http: or https: origin. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Value of Host for a request that has none. */
  readonly authority: string;
  inFlight = 0;
  requests = 0;
  failures = 0;
  /** No longer configured: what is under way ends, nothing new goes there. */
  isRetired = false;
  breaker: Breaker = CLOSED;
  /** When it last completed an answer, in milliseconds of the data path's clock. */
  heardAt = -Infinity;
  readonly #options: BreakerOptions;

  constructor(url: string, options: BreakerOptions) {
    const { protocol, hostname, port, host } = new URL(url);
    this.url = url;
    this.host = hostname.replace(/^\[|\]$/g, '');
    this.isTls = protocol === 'https:';
    this.port = Number(port) || (this.isTls ? 443 : 80);
    this.authority = host;
    this.#options = options;
  }

  admits(now: number): boolean {
    return admits(this.breaker, now);
  }

  /** A request sets out. The first one behind a pause is the probe. */
  begin(now: number): void {
    this.inFlight++;
    this.requests++;
    if (this.breaker.state === 'open') this.record('probe', now);
  }

  /** A request is over; null: its end says nothing about the instance, such as a client that went away. */
  end(event: BreakerEvent | null, now: number): void {
    this.inFlight--;
    if (event === 'success') this.heardAt = now;
    if (event === 'failure' || event === 'silence') this.failures++;
    this.record(event ?? 'abandoned', now);
  }

  record(event: BreakerEvent, now: number): void {
    this.breaker = afterEvent(this.breaker, event, now, this.#options);
  }
}

/** An instance as the admin API shows it. */
export interface InstanceStatus {
  readonly url: string;
  readonly breaker: Breaker['state'];
  readonly inFlight: number;
  readonly requests: number;
  readonly failures: number;
  readonly idleSockets: number;
}
