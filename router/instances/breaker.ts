/**
 * When an instance is left alone. A pure table: (state, event) → state. Failures in a row open the breaker; after a pause one request is let
 * through as a probe; its success closes the breaker, its failure doubles the pause. What an instance answers never counts as a failure, bad
 * as it may be: an answer is a sign of life. Neither does a client that goes away. A silence, with others there to ask, weighs as half of the threshold: each
 * costs a request all its patience, so the second one is enough.
 */
export type Breaker =
  | { readonly state: 'closed'; readonly failures: number }
  | { readonly state: 'open'; readonly until: number; readonly rounds: number }
  | { readonly state: 'half-open'; readonly rounds: number };

export type BreakerEvent = 'success' | 'failure' | 'silence' | 'probe' | 'abandoned';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly threshold: number;
  /** First pause, and the longest, in milliseconds. */
  readonly pause: number;
  readonly maxPause: number;
}

export const DEFAULT_BREAKER: BreakerOptions = { threshold: 5, pause: 500, maxPause: 2000 };

export const CLOSED: Breaker = Object.freeze({ state: 'closed', failures: 0 });

/** State after an event at `now` (milliseconds). */
export function afterEvent(
  breaker: Breaker,
  event: BreakerEvent,
  now: number,
  options: BreakerOptions = DEFAULT_BREAKER,
): Breaker {
  switch (event) {
    case 'success':
      // Only a probe closes an open breaker; what was in flight before it opened proves nothing new.
      return breaker.state === 'open' ? breaker : CLOSED;
    case 'failure':
    case 'silence': {
      if (breaker.state === 'open') return breaker;
      if (breaker.state === 'half-open') return opened(breaker.rounds + 1, now, options);
      const failures = breaker.failures + (event === 'silence' ? Math.ceil(options.threshold / 2) : 1);
      return failures >= options.threshold ? opened(0, now, options) : { state: 'closed', failures };
    }
    case 'probe':
      return breaker.state === 'open' ? { state: 'half-open', rounds: breaker.rounds } : breaker;
    case 'abandoned':
      // The probe ended without a verdict: the next request is the probe.
      return breaker.state === 'half-open' ? { state: 'open', until: now, rounds: breaker.rounds } : breaker;
  }
}

function opened(rounds: number, now: number, { pause, maxPause }: BreakerOptions): Breaker {
  return { state: 'open', until: now + Math.min(maxPause, pause * 2 ** Math.min(rounds, 20)), rounds };
}

/** True when a request may go there: the breaker is closed, or its pause is over and this one is the probe. */
export function admits(breaker: Breaker, now: number): boolean {
  return breaker.state === 'closed' || (breaker.state === 'open' && now >= breaker.until);
}
