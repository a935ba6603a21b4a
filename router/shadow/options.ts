/** What shadowing may cost. Bytes and milliseconds. */
export interface ShadowLimits {
  /** Bytes of requests and primary answers that are kept in memory at one time, over all features; what does not fit is dropped. */
  readonly copyBytes: number;
  /** The same of the answers to repeated requests: room for two of the longest that `maxBody` allows. */
  readonly replyBytes: number;
  /** Longest time for the comparison of a sample, behind its requests; then the thread is ended and another one begun. */
  readonly compareMs: number;
  /** Longest body without its content coding. */
  readonly decodedBytes: number;
  /** The first so many sampled requests of a route have the primary asked a second time. */
  readonly firstAgain: number;
  /** How long a place that was found to be noise is taken for it, without being seen again. */
  readonly noiseMs: number;
  /** Places of noise kept a route. */
  readonly noisePlaces: number;
  /** Mismatches kept of each kind and place; the newest. */
  readonly keptPerKind: number;
  /** Mismatches kept a feature. */
  readonly kept: number;
  /** Mismatches of a feature whose pictures are kept, in files. */
  readonly keptPictures: number;
}

export const DEFAULT_SHADOW_LIMITS: ShadowLimits = {
  copyBytes: 12 * 2 ** 20,
  replyBytes: 4 * 2 ** 20,
  compareMs: 20_000,
  decodedBytes: 16 * 2 ** 20,
  firstAgain: 5,
  noiseMs: 3_600_000,
  noisePlaces: 200,
  keptPerKind: 20,
  kept: 200,
  keptPictures: 40,
};

/** How one feature is shadowed; `shadow` of strangler.yaml. */
export interface ShadowRules {
  /** Share of the requests, 0 to 1. */
  readonly sample: number;
  /** Longest body that is compared, in bytes. */
  readonly maxBody: number;
  readonly compare: 'status' | 'json' | 'bytes' | 'image';
  readonly headers: readonly string[] | 'all';
  /** Pictures further apart are a mismatch, 0 to 1. */
  readonly imageDistance: number;
  /** Requests under way to the shadow at one time; `WAITING` times as many wait, and one more is dropped. */
  readonly inFlight: number;
  /** Share of the sampled requests after which the primary is asked a second time, 0 to 1. */
  readonly again: number;
  /** Milliseconds: to connect, to the answer's head, to its end. */
  readonly timeouts: { readonly connect: number; readonly response: number; readonly total: number };
}

/** Samples that wait for each request that may be under way: what a burst may bring. */
export const WAITING = 4;

/** One route of a feature in a stage that is shadowed. */
export interface Shadowed {
  readonly feature: string;
  /** `METHOD /template`, as configured: what has been learned is kept by it. */
  readonly route: string;
  readonly service: string;
  readonly default: string;
  readonly rules: ShadowRules;
  /** Unsafe methods are repeated too: the service is isolated from what the monolith changes. */
  readonly shadowsWrites: boolean;
}

/** Why a sampled request was not compared. */
export type Dropped =
  | 'full'
  | 'resting'
  | 'memory'
  | 'tooLong'
  | 'aborted'
  | 'unavailable'
  | 'connect'
  | 'timeout'
  | 'reset'
  | 'protocol'
  | 'failed';
