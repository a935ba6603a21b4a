import type { RouteConfig } from './config/schema.ts';
import type { Snapshot } from './flags/snapshot.ts';
import type { Plan, RequestHead, Route } from './forward/plan.ts';
import { cookieValue } from './request/cookie.ts';
import { decide, type DecidedFeature, type Decision } from './request/decide.ts';
import { keyOf } from './request/key.ts';
import { answerLink } from './request/link.ts';

export interface PipelineOptions {
  readonly snapshot: () => Snapshot;
  /** STRANGLER_OVERRIDE_KEY; null turns overrides off. */
  readonly overrideKey: string | null;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newId: () => string;
}

const NO_FALLBACK = { connect: false, timeout: false, serverError: false };

/**
 * match → decide → plan, from exactly one snapshot. What comes out is all the data path needs to forward, and all an observer needs to
 * count. Synchronous: no request waits for anything but its upstream.
 */
export function createPipeline(options: PipelineOptions): (head: RequestHead) => Plan {
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
    const issueCookie = cookieToIssue(snapshot, head, options.newId);
    if (!matched) return { ...passThrough(snapshot), issueCookie };
    const header = (name: string): string | undefined => head.header(name);
    const asked = {
      method: head.method,
      path: head.path,
      host: head.host,
      header,
      key: () => keyOf(matched.feature.config.key, header),
    };
    const decision = decide(
      matched.feature,
      snapshot.config.default,
      asked,
      options.overrideKey,
      options.now,
    );
    return { ...diverted(snapshot, matched.feature, matched.route, decision), issueCookie };
  };
}

/** A preflight belongs to the method it asks about (Fetch standard, CORS-preflight request). */
export function matchedMethod(head: Pick<RequestHead, 'method' | 'header'>): string {
  return head.method === 'OPTIONS'
    ? (head.header('access-control-request-method') ?? 'OPTIONS')
    : head.method;
}

/** Traffic of no feature: to the default upstream, as it came. */
const passThrough = memoize((snapshot: Snapshot): Omit<Route, 'issueCookie'> => ({
  upstream: snapshot.config.default,
  fallback: null,
  fallbackOn: NO_FALLBACK,
  maxBody: null,
  responseTimeout: null,
  ...stripped(snapshot),
  serverTiming: null,
  decision: null,
}));

function diverted(
  snapshot: Snapshot,
  feature: DecidedFeature,
  route: RouteConfig,
  decision: Decision,
): Omit<Route, 'issueCookie'> {
  const { config } = feature;
  const fallback =
    decision.upstream !== snapshot.config.default &&
    route.effect === 'read' &&
    decision.stage !== 'retired' &&
    config.data !== 'own';
  const on = config.fallback.on;
  return {
    upstream: decision.upstream,
    fallback: fallback && on.length > 0 ? snapshot.config.default : null,
    fallbackOn: {
      connect: on.includes('connect'),
      timeout: on.includes('timeout'),
      serverError: on.includes('5xx'),
    },
    maxBody: route.maxBody ?? null,
    responseTimeout: route.timeout ?? null,
    ...stripped(snapshot),
    serverTiming: `strangler;desc="${decision.upstream}, ${decision.stage}${decision.stage === 'canary' && decision.percent !== null ? ` ${decision.percent} %` : ''}"`,
    decision,
  };
}

/** Overrides are between the client and the router: an upstream that saw one could replay it. */
const stripped = memoize((snapshot: Snapshot): Pick<Route, 'stripHeaders' | 'stripCookies'> => {
  const overrides = Object.values(snapshot.config.features).flatMap((feature) => feature.override ?? []);
  return {
    stripHeaders: [...new Set(overrides.flatMap((override) => override.header ?? []))],
    stripCookies: [...new Set(overrides.flatMap((override) => override.cookie ?? []))],
  };
});

/** The first issued cookie that the client lacks; one an answer is enough, the next page brings the next. */
function cookieToIssue(snapshot: Snapshot, head: RequestHead, newId: () => string): string | null {
  if (snapshot.issued.length === 0) return null;
  const cookies = head.header('cookie');
  const missing = snapshot.issued.find((name) => !cookieValue(cookies, name));
  if (missing === undefined) return null;
  return `${missing}=${newId()}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax${head.secure ? '; Secure' : ''}`;
}

function memoize<T>(make: (snapshot: Snapshot) => T): (snapshot: Snapshot) => T {
  const made = new WeakMap<Snapshot, T>();
  return (snapshot) => {
    let value = made.get(snapshot);
    if (value === undefined) made.set(snapshot, (value = make(snapshot)));
    return value;
  };
}
