import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a signed override says: this bearer gets this side of this feature until then. */
export interface Override {
  readonly feature: string;
  readonly upstream: string;
  /** Seconds since the epoch. */
  readonly expires: number;
}

/** `payload.signature`, both base64url; HMAC-SHA256 with STRANGLER_OVERRIDE_KEY. Safe in a header, a cookie and a URL. */
export function signOverride(override: Override, key: string): string {
  const payload = Buffer.from(
    JSON.stringify([override.feature, override.upstream, override.expires]),
  ).toString('base64url');
  return `${payload}.${signature(payload, key)}`;
}

/** The override, if the token is whole, signed with this key and not expired at `now` (milliseconds); else null. */
export function readOverride(token: string, key: string, now: number): Override | null {
  const dot = token.indexOf('.');
  if (dot === -1 || token.length > 2048) return null;
  const payload = token.slice(0, dot);
  const given = Buffer.from(token.slice(dot + 1));
  const expected = Buffer.from(signature(payload, key));
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const [feature, upstream, expires] = JSON.parse(Buffer.from(payload, 'base64url').toString()) as [
    string,
    string,
    number,
  ];
  return expires * 1000 > now ? { feature, upstream, expires } : null;
}

function signature(payload: string, key: string): string {
  return createHmac('sha256', key).update(`strangler-override\n${payload}`).digest('base64url');
}

/** Path of the links that `strangler link` prints. Answered by the router itself, never forwarded. */
export const LINK_PATH = '/.strangler/link';
