import type { MatchedRoute, Snapshot } from './flags/snapshot.ts';
import type { NamedHome, RequestHead, Route, WriteHomes } from './forward/plan.ts';
import type { FeatureWrites, Writes } from './metrics/writes.ts';
import type { Decision } from './request/decide.ts';
import { readHome } from './request/home.ts';
import { issuePin, pinCookie, readPin } from './request/pin.ts';
import { subjectOf } from './request/subject.ts';

/** Features whose rows move: reads go by client, writes to the home of what they write. */
export interface Moving {
  /**
   * Where a request of such a feature goes. `decided` is what the flag says of the client: reads follow it, unless the client has just written and must
   * see that; writes don't.
   */
  decide(matched: MatchedRoute, fallback: string, asked: Asked, decided: Decision): Decision;
  /** What a write's plan knows of homes; null for anything else. `at` makes the same plan for another upstream. */
  homes(
    matched: MatchedRoute,
    decision: Decision | null,
    snapshot: Snapshot,
    isSecure: boolean,
    at: (upstream: string) => Route,
  ): WriteHomes | null;
}

type Asked = Pick<RequestHead, 'method' | 'path' | 'header'>;

/** True when the rows of a feature move. */
export function isMoving({ feature }: MatchedRoute): boolean {
  return feature.config.data === 'moving';
}

/** Cookies of the features whose rows move: they are between client and router. */
export function pinCookies(snapshot: Snapshot): string[] {
  return Object.entries(snapshot.config.features).flatMap(([name, { data }]) =>
    data === 'moving' ? [pinCookie(name)] : [],
  );
}

/** `pinKey` signs pins; `now` is in milliseconds since the epoch. */
export function createMoving(options: {
  readonly writes: Writes;
  readonly pinKey: string;
  readonly now: () => number;
}): Moving {
  const { writes, pinKey, now } = options;
  const subjects = new WeakMap<MatchedRoute, (path: string) => string>();
  const subject = (matched: MatchedRoute, path: string): string => {
    let of = subjects.get(matched);
    if (!of) subjects.set(matched, (of = subjectOf(matched.route)));
    return of(path);
  };
  const writesOf = ({ feature }: MatchedRoute, fallback: string): FeatureWrites =>
    writes.of(feature.name, fallback, feature.config.upstream);

  return {
    decide(matched, fallback, asked, decided) {
      const { feature, route } = matched;
      const pinned = readPin(feature.name, asked.header('cookie'), pinKey, now());
      const pin = pinned === fallback || pinned === feature.config.upstream ? pinned : null;
      // A preflight writes nothing: any side may say what it allows.
      if (route.effect === 'write' && asked.method !== 'OPTIONS') {
        const { homes } = writesOf(matched, fallback);
        // What the client wrote last may be what it writes now; the other side may not even know of it yet.
        const home = homes.known(subject(matched, asked.path))?.upstream ?? pin ?? homes.majority();
        return feature.frozen(home, 'HOME');
      }
      const isFixed = FIXED.includes(decided.reason);
      return pin === null || isFixed ? decided : feature.frozen(pin, 'PIN');
    },
    homes(matched, decision, snapshot, isSecure, at) {
      const { feature } = matched;
      if (decision?.reason !== 'HOME') return null;
      const sides = [snapshot.config.default, feature.config.upstream];
      const of = writesOf(matched, snapshot.config.default);
      return {
        sides,
        at,
        misdirected(path, value): NamedHome | null {
          const home = readHome(value, sides);
          of.misdirected(subject(matched, path), home);
          return home;
        },
        settled: (path, upstream, named) => of.settled(subject(matched, path), upstream, named),
        held: of.held,
        spooled: of.spooled,
        pin: (upstream) => issuePin(feature.name, upstream, { key: pinKey, now: now(), isSecure }),
      };
    },
  };
}

/** What stands above a pin: the brake, a side that is the only one, and who asked for a side. */
const FIXED: readonly Decision['reason'][] = ['KILLED', 'RETIRED', 'OVERRIDE'];
