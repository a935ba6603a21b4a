import type { Snapshot } from '../flags/snapshot.ts';
import type { Refusal, Reply, RequestHead } from '../forward/plan.ts';
import { LINK_PATH, readOverride } from './override.ts';

/**
 * Answers a signed link: puts its token into the browser's override cookie and goes on to the front page. Null when the request is no such
 * link (or overrides are off), so that an upstream's own path of that name still works.
 */
export function answerLink(
  snapshot: Snapshot,
  head: RequestHead,
  key: string | null,
  now: () => number,
): Reply | Refusal | null {
  if (key === null || head.path !== LINK_PATH || (head.method !== 'GET' && head.method !== 'HEAD'))
    return null;
  const token = new URLSearchParams(head.query).get('token') ?? '';
  const override = readOverride(token, key, now());
  const cookie = override && snapshot.features.get(override.feature)?.config.override?.cookie;
  if (!override || !cookie)
    return {
      refuse: {
        status: 403,
        code: 'LINK_REFUSED',
        detail:
          'this link has expired, was not signed here, or names a feature without overrides; ask for a new one',
      },
    };
  const maxAge = Math.floor(override.expires - now() / 1000);
  return {
    reply: {
      status: 303,
      headers: [
        ['Location', '/'],
        [
          'Set-Cookie',
          `${cookie}=${token}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${head.secure ? '; Secure' : ''}`,
        ],
        ['Cache-Control', 'no-store'],
        ['Referrer-Policy', 'no-referrer'],
      ],
      body: '',
    },
  };
}
