import type { Result } from './compare/compare.ts';
import type { Mismatch } from './mismatches.ts';
import type { Dropped, Shadowed, ShadowLimits } from './options.ts';

/*
 * What passes between the thread that serves and the thread that repeats and compares. Bodies are given away, not copied.
 */

export type ToRepeater = RouteMessage | BeginMessage | EndMessage | AbortMessage;

/** Names a route by a number, before its first sample. */
export interface RouteMessage {
  readonly kind: 'route';
  readonly route: number;
  readonly of: Shadowed;
}

/** The primary's answer has begun, so the request may be repeated. */
export interface BeginMessage {
  readonly kind: 'begin';
  readonly id: number;
  readonly route: number;
  readonly method: string;
  /** Names of the upstream that answers the client, and of the one to ask beside it. */
  readonly primary: string;
  readonly shadow: string;
  /** Where to ask each of them; the primary for a second time. */
  readonly primaryUrl: string | null;
  readonly shadowUrl: string;
  /** The request as the primary got it. */
  readonly head: string;
  readonly body: Uint8Array | null;
  /** The primary's answer, when it is whole already. */
  readonly answer: PrimaryAnswer | null;
}

/** The primary's answer is whole. */
export interface EndMessage {
  readonly kind: 'end';
  readonly id: number;
  readonly answer: PrimaryAnswer;
}

/** There will be no answer to compare with. Nothing comes back. */
export interface AbortMessage {
  readonly kind: 'abort';
  readonly id: number;
}

export interface PrimaryAnswer {
  readonly status: number;
  /** As the upstream sent it. */
  readonly head: string;
  readonly body: Uint8Array;
  readonly isTooLong: boolean;
}

/** What became of a sample: a result, or a reason why there is none. */
export interface Outcome {
  readonly id: number;
  readonly result: Result | Dropped;
  readonly mismatch: Mismatch | null;
  /** Why it is `incomparable`; else null. */
  readonly reason: string | null;
  /** The shadow gave no answer, or one that was too long; null: nothing is known of it. */
  readonly isBad: boolean | null;
}

/** How the thread is set up. */
export interface RepeaterSetup {
  readonly folder: string;
  readonly limits: ShadowLimits;
}
