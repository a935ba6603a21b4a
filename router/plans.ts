import { SESSION_COOKIE } from './admin/cookie.ts';
import type { MatchedRoute, Snapshot } from './flags/snapshot.ts';
import type { Route, Tap } from './forward/plan.ts';
import { isMoving, pinCookies, type Moving } from './moving.ts';
import type { Decision } from './request/decide.ts';

/** The plans of one snapshot. */
export interface Plans {
  readonly snapshot: Snapshot;
  /** What is done with a request of this route (null: of no feature) and decision; `cookie` is the one to issue, if any. */
  route(
    matched: MatchedRoute | null,
    decision: Decision | null,
    cookie: string | null,
    isSecure: boolean,
  ): Route;
}

/** Who looks on at the exchanges of a route that was decided so; asked once a plan. */
export type TapFor = (matched: MatchedRoute, decision: Decision, snapshot: Snapshot) => Tap | null;

const NO_FALLBACK = { connect: false, timeout: false, serverError: false, missing: false };

/** There are few distinct plans, so each is made once and handed out again: planning a request costs some look-ups and makes nothing. */
export function plansOf(
  snapshot: Snapshot,
  newId: () => string,
  tapFor: TapFor = () => null,
  moving: Moving | null = null,
): Plans {
  const overrides = Object.values(snapshot.config.features).flatMap((feature) => feature.override ?? []);
  // Overrides and the console's session are between the client and the router: an upstream that saw one could replay it. Headers named
  // Strangler-* are dropped anyway.
  const headers = overrides.flatMap((override) => override.header ?? []);
  const stripped = {
    stripHeaders: [...new Set(headers.filter((name) => !/^strangler-/i.test(name)))],
    stripCookies: [
      SESSION_COOKIE,
      ...new Set(overrides.flatMap((override) => override.cookie ?? [])),
      ...pinCookies(snapshot),
    ],
  };
  const passThrough = {
    upstream: snapshot.config.default,
    fallback: null,
    fallbackOn: NO_FALLBACK,
    maxBody: null,
    responseTimeout: null,
    ...stripped,
    serverTiming: null,
    tap: null,
    decision: null,
  };
  const made = new Map<MatchedRoute | null, Map<Decision | null, Map<string | null, Route>>>();

  const plans: Plans = {
    snapshot,
    route(matched, decision, cookie, isSecure) {
      const moves = matched !== null && moving !== null && isMoving(matched);
      const key = cookie === null && !moves ? null : isSecure ? `${cookie}; Secure` : cookie;
      const known = made.get(matched)?.get(decision)?.get(key);
      if (known) return known;
      const base = matched && decision ? diverted(snapshot, matched, decision, stripped) : passThrough;
      const tap = matched && decision ? tapFor(matched, decision, snapshot) : null;
      const route = Object.freeze({
        ...base,
        tap,
        homes: moves
          ? moving.homes(matched, decision, snapshot, isSecure, (upstream) =>
              plans.route(matched, matched.feature.frozen(upstream, 'HOME'), cookie, isSecure),
            )
          : null,
        issueCookie: cookie === null ? null : cookieMaker(cookie, isSecure, newId),
      });
      const byDecision = made.get(matched) ?? new Map<Decision | null, Map<string | null, Route>>();
      const byCookie = byDecision.get(decision) ?? new Map<string | null, Route>();
      made.set(matched, byDecision.set(decision, byCookie.set(key, route)));
      return route;
    },
  };
  return plans;
}

function diverted(
  snapshot: Snapshot,
  { feature, route }: MatchedRoute,
  decision: Decision,
  stripped: Pick<Route, 'stripHeaders' | 'stripCookies'>,
): Omit<Route, 'issueCookie' | 'tap' | 'homes'> {
  const { fallback, on, missing } = fallbackOf(snapshot, { feature, route }, decision);
  const share = decision.stage === 'canary' && decision.percent !== null ? ` ${decision.percent} %` : '';
  return {
    upstream: decision.upstream,
    fallback,
    fallbackOn: {
      connect: on.includes('connect'),
      timeout: on.includes('timeout'),
      serverError: on.includes('5xx'),
      missing,
    },
    maxBody: route.maxBody ?? null,
    responseTimeout: route.timeout ?? null,
    ...stripped,
    serverTiming: `strangler;desc="${decision.upstream}, ${decision.stage}${share}"`,
    decision,
  };
}

/** Who answers a read instead, and on what. While rows move, that also is the side that may have what the other one has not yet. */
function fallbackOf(
  { config: { default: monolith } }: Snapshot,
  { feature: { config }, route }: MatchedRoute,
  { upstream, stage, reason }: Decision,
): { fallback: string | null; on: readonly string[]; missing: boolean } {
  const isService = upstream !== monolith;
  if (route.effect !== 'read' || config.data === 'own') return { fallback: null, on: [], missing: false };
  const isPinned = reason === 'PIN';
  const on = isService && stage !== 'retired' && !isPinned ? config.fallback.on : [];
  const missing = config.data === 'moving';
  const fallback = isService ? monolith : config.upstream;
  return { fallback: missing || on.length > 0 ? fallback : null, on, missing };
}

/** A cookie of its own for every answer, kept for a year. */
function cookieMaker(name: string, isSecure: boolean, newId: () => string): () => string {
  const attributes = `; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  return () => `${name}=${newId()}${attributes}`;
}
