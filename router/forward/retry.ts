import type { Route } from './plan.ts';

/** Why an upstream gave no answer. `open`: it was not asked, because its breaker is. */
export type FailureKind = 'connect' | 'timeout' | 'reset' | 'protocol' | 'open';

/** All that matters for what is done about a failure. */
export interface Failed {
  readonly kind: FailureKind;
  /** A byte of an answer has reached the client: nothing can be taken back. */
  readonly hasBegun: boolean;
  /** Safe method and no body: asking again changes nothing (RFC 9110 section 9.2.1). */
  readonly isReplayable: boolean;
  /** Not a byte of the request had left: nothing can have happened, whatever the method. */
  readonly isUnsent: boolean;
  /** The connection had served before and died without a byte of an answer: the upstream had closed it as idle. */
  readonly isStale: boolean;
  /** Tries at this upstream so far. */
  readonly tries: number;
  /** There is another instance that may be asked. */
  readonly hasOther: boolean;
  readonly hasTime: boolean;
  /** It is the fallback that failed. */
  readonly isFallback: boolean;
}

/** Most tries at one upstream. */
const MAX_TRIES = 3;

/**
 * What follows a failure: the same instance on a fresh connection, another instance, the fallback, or telling the client. `again` costs no
 * budget (nobody is to blame for a connection that was idle too long); `other` has to be paid for by the caller, who takes `fallback` or
 * `tell` when the budget is empty.
 */
export function afterFailure(
  failed: Failed,
  route: Pick<Route, 'fallback' | 'fallbackOn'>,
): 'again' | 'other' | 'fallback' | 'tell' | 'abort' {
  if (failed.hasBegun) return 'abort';
  if (!failed.hasTime) return 'tell';
  if (failed.isStale && failed.isReplayable) return 'again';
  const mayAsk = failed.isReplayable || failed.isUnsent;
  if (mayAsk && failed.hasOther && failed.tries < MAX_TRIES) return 'other';
  return mayFallBack(failed, route) ? 'fallback' : 'tell';
}

/** True when the fallback may answer instead. A reset, a malformed answer and an open breaker count as failures to connect. */
export function mayFallBack(
  failed: Pick<Failed, 'kind' | 'isReplayable' | 'isFallback' | 'hasBegun'>,
  route: Pick<Route, 'fallback' | 'fallbackOn'>,
): boolean {
  if (route.fallback === null || failed.isFallback || failed.hasBegun || !failed.isReplayable) return false;
  return failed.kind === 'timeout' ? route.fallbackOn.timeout : route.fallbackOn.connect;
}

/** Methods that ask for nothing to be done, and are therefore the only ones ever sent a second time. */
export function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

/** True when the fallback's answer is better than this one: it failed, or it has not what the other side may have. 421 promises that nothing was done (RFC 9110 section 15.5.20), so a write may go on. */
export function isUnwanted(
  status: number,
  isReplayable: boolean,
  hasBody: boolean,
  on: Route['fallbackOn'],
): boolean {
  if (status === 421) return !hasBody;
  return isReplayable && ((status >= 500 && on.serverError) || (status === 404 && on.missing));
}
