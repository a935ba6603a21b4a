import type { Snapshot } from './flags/snapshot.ts';
import type { Plan, Refusal, RequestHead } from './forward/plan.ts';
import { cookieValue } from './request/cookie.ts';
import { decide } from './request/decide.ts';
import { isMoving, type Moving } from './moving.ts';
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
  /** For features whose rows move; absent: their writes are refused. */
  readonly moving?: Moving;
}

/**
 * match → decide → plan, from exactly one snapshot. What comes out is all the data path needs to forward, and all an observer needs to
 * count. Synchronous: no request waits for anything but its upstream.
 */
export function createPipeline(options: PipelineOptions): (head: RequestHead) => Plan {
  const moving = options.moving ?? null;
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
    const { default: monolith } = snapshot.config;
    let decision = matched && decide(matched.feature, monolith, head, options.overrideKey, options.now);
    if (decision !== null && isMoving(matched!)) {
      if (moving !== null) decision = moving.decide(matched!, monolith, head, decision);
      else if (matched!.route.effect === 'write') return NEEDS_ROUTER;
    }
    if (plans?.snapshot !== snapshot) plans = plansOf(snapshot, options.newId, options.tapFor, moving);
    return plans.route(matched, decision, missingCookie(snapshot, head), head.secure);
  };
}

/** A body that may have to be sent again is kept on the disk, which the middleware does not do. */
const NEEDS_ROUTER: Refusal = {
  refuse: {
    status: 501,
    code: 'MOVING_NEEDS_ROUTER',
    detail: 'the data of this feature moves, and only a router carries writes meanwhile',
  },
};

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
