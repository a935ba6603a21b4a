import type { Snapshot } from './flags/snapshot.ts';
import type { Plan, RequestHead } from './forward/plan.ts';
import { cookieValue } from './request/cookie.ts';
import { decide } from './request/decide.ts';
import { plansOf, type Plans, type TapFor } from './plans.ts';
import { answerLink } from './request/link.ts';

export interface PipelineOptions {
  readonly snapshot: () => Snapshot;
  /** STRANGLER_OVERRIDE_KEY; null turns overrides off. */
  readonly overrideKey: string | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newId: () => string;
  /** Shadowing; absent: none. */
  readonly tapFor?: TapFor;
}

/**
 * match → decide → plan, from exactly one snapshot. What comes out is all the data path needs to forward, and all an observer needs to
 * count. Synchronous: no request waits for anything but its upstream.
 */
export function createPipeline(options: PipelineOptions): (head: RequestHead) => Plan {
  let plans: Plans | null = null;
  return (head) => {
    const snapshot = options.snapshot();
    if (head.readings !== null && head.readings.some((path) => snapshot.matcher.touches(path))) {
      return {
        refuse: {
          status: 400,
          code: 'AMBIGUOUS_PATH',
          detail:
            'the path can be read in more than one way, and one of them belongs to a diverted feature; encode it canonically',
        },
      };
    }
    const link = answerLink(snapshot, head, options.overrideKey, options.now);
    if (link) return link;
    const matched = head.readings === null ? snapshot.matcher.match(matchedMethod(head), head.path) : null;
    const decision =
      matched && decide(matched.feature, snapshot.config.default, head, options.overrideKey, options.now);
    if (plans?.snapshot !== snapshot) plans = plansOf(snapshot, options.newId, options.tapFor);
    return plans.route(matched, decision, missingCookie(snapshot, head), head.secure);
  };
}

/** A preflight belongs to the method it asks about (Fetch standard, CORS-preflight request). */
export function matchedMethod(head: Pick<RequestHead, 'method' | 'header'>): string {
  return head.method === 'OPTIONS'
    ? (head.header('access-control-request-method') ?? 'OPTIONS')
    : head.method;
}

/** The first issued cookie that the client lacks; one an answer is enough, the next page brings the next. Null when it has them all. */
function missingCookie(snapshot: Snapshot, head: RequestHead): string | null {
  if (snapshot.issued.length === 0) return null;
  const cookies = head.header('cookie');
  return snapshot.issued.find((name) => !cookieValue(cookies, name)) ?? null;
}
