/**
 * Where the data path and the deciding meet. The data path reads a head and asks for a plan; it knows nothing of features, flags
 * or stages. Deciding knows nothing of sockets. When the exchange is over, the data path says what happened.
 */

/** What is known of a request when its head has been read and found valid. */
export interface RequestHead {
  /** Method as received; a token, case-sensitive (RFC 9110 section 9.1). */
  readonly method: string;
  /** Canonical path without the query: the one that is decided on and, byte for byte, forwarded. `*` for `OPTIONS *`. */
  readonly path: string;
  /** The query with its leading `?`, or an empty string. */
  readonly query: string;
  /**
   * Other paths a server might read in the same bytes, when the path is ambiguous (`%2f`, `%5c`, `%00`, `..;`, a backslash, a faulty
   * escape); else null. When one of them belongs to a feature, the plan must be a refusal.
   */
  readonly readings: readonly string[] | null;
  /** The one valid Host, as the client sent it. */
  readonly host: string;
  /** Address of the client: the peer, or what a trusted proxy says of it. */
  readonly client: string;
  /** True when the client speaks https, to us or to a trusted proxy. */
  readonly secure: boolean;
  /** Value of a header by its lower-case name; several lines are joined by `, ` (Cookie: `; `); undefined when absent. */
  header(name: string): string | undefined;
}

/** The router answers by itself: a problem+json body, and `close` when the connection can't be trusted any more. */
export interface Refusal {
  readonly refuse: {
    readonly status: number;
    readonly code: string;
    readonly detail: string;
    readonly headers?: readonly (readonly [string, string])[];
  };
}

/** An answer of the router's own that is not an error (a redirect, say). */
export interface Reply {
  readonly reply: {
    readonly status: number;
    readonly headers: readonly (readonly [string, string])[];
    readonly body: string;
  };
}

/**
 * Where a request goes and what is done to it on the way. Made from exactly one snapshot, and the same object for all requests that are
 * treated alike: whoever counts may count by it.
 */
export interface Route {
  readonly upstream: string;
  /** Upstream that answers a safe request when the first one failed before its answer had begun; null: nobody. */
  readonly fallback: string | null;
  /** What makes the fallback answer. */
  readonly fallbackOn: {
    readonly connect: boolean;
    readonly timeout: boolean;
    readonly serverError: boolean;
    /** 404: the rows move, and the other side may have what this one has not yet. */
    readonly missing: boolean;
  };
  /** Longest request body in bytes; a longer one is answered with 413. null: no limit of its own. */
  readonly maxBody: number | null;
  /** From the last request byte to the head of the answer, in milliseconds; null: the upstream's own. */
  readonly responseTimeout: number | null;
  /** Request headers (lower-case names) that never reach an upstream, beyond hop-by-hop ones and `strangler-*`. */
  readonly stripHeaders: readonly string[];
  /** Cookies that never reach an upstream. */
  readonly stripCookies: readonly string[];
  /** Makes a Set-Cookie value, which is added to HTML answers that no shared cache may keep, only to those; null: none. */
  readonly issueCookie: (() => string) | null;
  /** Value of the Server-Timing header added to the answer; null: none (traffic that belongs to no feature). */
  readonly serverTiming: string | null;
  /** Looks on at some exchanges of this route, to repeat and compare them elsewhere; null: nobody does. */
  readonly tap: Tap | null;
  /** A write of rows that move: only the side that is their home does it. Null for everything else. */
  readonly homes: WriteHomes | null;
  /** Whatever the decider wants to see again in the observation (feature, reason, stage, version). */
  readonly decision: unknown;
}

/** What a side says that is not the home (`Strangler-Home: NAME; epoch=N[; moving]`). */
export interface NamedHome {
  readonly upstream: string;
  /** Rises with every handover. */
  readonly epoch: number;
  /** It is being handed over at this moment: neither side takes the write yet. */
  readonly isMoving: boolean;
}

/** Where the writes of one route are done. `path` is the request's: what is written differs, the route is the same. */
export interface WriteHomes {
  /** The two upstreams that may be asked. */
  readonly sides: readonly string[];
  /** The same write at one of them. */
  at(upstream: string): Route;
  /** A side has answered 421, with this Strangler-Home. Null when that is no answer at all: it names no home of these. */
  misdirected(path: string, value: string | null): NamedHome | null;
  /** A side has done the write; `named` is what the other one said before, if it was asked. */
  settled(path: string, upstream: string, named: NamedHome | null): void;
  /** A write begins to wait for the end of a handover. */
  held(): void;
  /** So many bytes of a body were written to disk. */
  spooled(bytes: number): void;
  /** Set-Cookie value that lets the client read where it has written. */
  pin(upstream: string): string;
}

/** Asked once a request whether somebody looks on. */
export interface Tap {
  watch(method: string): Watch | null;
}

/**
 * Looks on at one exchange. It never throws and never makes the exchange wait. All bytes are lent: they are other ones when the call
 * returns, so what is kept must be copied.
 */
export interface Watch {
  /** The head as it goes to the upstream, request line to empty line; called again for every try. */
  sent(bytes: Buffer, from: number, to: number): void;
  /** A piece of the request's body as it goes to the upstream, be it in chunks as the head says. */
  sentBody(bytes: Buffer, from: number, to: number): void;
  /** The head of the answer that the client gets, as the upstream sent it, and which upstream that is. */
  answered(upstream: string, status: number, bytes: Buffer, from: number, to: number): void;
  /** A piece of the answer's body; `isChunked`: with the framing of chunks (RFC 9112 section 7.1). */
  answerBody(bytes: Buffer, from: number, to: number, isChunked: boolean): void;
  /** The end, exactly once. `isWhole`: the client was handed the whole answer of an upstream. */
  ended(isWhole: boolean): void;
}

export type Plan = Route | Refusal | Reply;

/** What happened to a request. Handed over once, after the last byte or the end of the connection. */
export interface Observation {
  readonly method: string;
  readonly path: string;
  /** null when the request was refused before there was a plan, or by it. */
  readonly route: Route | null;
  /** Status sent to the client; 0 when nothing was. */
  readonly status: number;
  /** Upstream whose answer the client got; null: the router's own answer, or none. */
  readonly answeredBy: string | null;
  /** What the decided upstream itself did, before any fallback: its status, or why there was none. */
  readonly own: {
    readonly status: number;
    readonly failure: 'connect' | 'timeout' | 'reset' | 'protocol' | 'open' | null;
    readonly milliseconds: number;
  } | null;
  /** From the head read to the last byte of the answer, in milliseconds. */
  readonly milliseconds: number;
  /** The client went away, or was cut, before its answer was whole. */
  readonly aborted: boolean;
  readonly requestId: string;
}

/** One upstream as configured. Times in milliseconds. */
export interface UpstreamOptions {
  readonly name: string;
  /** http: or https: origins, at least one. */
  readonly urls: readonly string[];
  readonly timeouts: { readonly connect: number; readonly response: number; readonly idle: number };
  /** Requests in flight to this upstream; above it: 503 with Retry-After. */
  readonly maxInFlight: number;
}
