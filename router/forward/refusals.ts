import type { Route } from './plan.ts';
import type { FailureKind } from './retry.ts';

/** An error that the data path answers with. */
export interface Told {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

/** What a client is told when its valid request got no upstream's answer. */
export const TOLD = {
  bodyTooLarge: { status: 413, code: 'BODY_TOO_LARGE', detail: 'the body is longer than this route takes' },
  bodyTooSlow: { status: 408, code: 'BODY_TOO_SLOW', detail: 'the body comes too slowly' },
  headTooSlow: { status: 408, code: 'HEAD_TOO_SLOW', detail: 'the request head comes too slowly' },
  noUpstream: { status: 502, code: 'NO_UPSTREAM', detail: 'the upstream of this route is not configured' },
  overloaded: {
    status: 503,
    code: 'OVERLOADED',
    detail: 'more requests are under way than the upstream takes; try again',
  },
  tooMany: {
    status: 503,
    code: 'TOO_MANY_CONNECTIONS',
    detail: 'the server has as many connections as it takes; try again',
  },
  homeDown: {
    status: 503,
    code: 'HOME_DOWN',
    detail:
      'the side that has this can not be reached, and no other may answer for it; nothing was done, try again',
  },
  homeMoves: {
    status: 503,
    code: 'HOME_MOVES',
    detail: 'what this writes is being handed over to the other side; nothing was done, try again',
  },
  homeUnknown: {
    status: 502,
    code: 'HOME_UNKNOWN',
    detail: 'the upstream refused the write as not its own, without a valid Strangler-Home; nothing was done',
  },
  noSpool: {
    status: 503,
    code: 'NO_SPOOL',
    detail: 'the body could not be kept on the disk of the router; nothing was done, try again',
  },
} as const satisfies Record<string, Told>;

/** What it is told when the upstream failed. */
export const TOLD_OF_FAILURE: Readonly<Record<FailureKind, Told>> = {
  connect: { status: 502, code: 'UPSTREAM_FAILED', detail: 'the upstream could not be reached' },
  reset: {
    status: 502,
    code: 'UPSTREAM_FAILED',
    detail: 'the upstream closed the connection without an answer',
  },
  protocol: { status: 502, code: 'UPSTREAM_PROTOCOL', detail: 'the upstream gave no valid answer' },
  timeout: { status: 504, code: 'UPSTREAM_TIMEOUT', detail: 'the upstream did not answer in time' },
  open: {
    status: 503,
    code: 'UPSTREAM_DOWN',
    detail: 'the upstream fails and is left alone for a moment; try again',
  },
};

/** What is told of a failure. Where rows move, a side that could not be reached may be the only one that has them: that is worth asking again. */
export function toldOf(kind: FailureKind, { homes, fallbackOn }: Pick<Route, 'homes' | 'fallbackOn'>): Told {
  const isBound = homes !== null || fallbackOn.missing;
  return isBound && (kind === 'connect' || kind === 'open') ? TOLD.homeDown : TOLD_OF_FAILURE[kind];
}

/** Why nothing more may be sent to an upstream; null when something may. */
export function refusalOf(
  upstream: { inFlight: number; options: { maxInFlight: number } } | undefined,
): Told | null {
  if (!upstream) return TOLD.noUpstream;
  return upstream.inFlight >= upstream.options.maxInFlight ? TOLD.overloaded : null;
}
