import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { cookieValue } from './cookie.ts';

/** How long a client that has written reads where it wrote, in seconds: far longer than the other side lags behind. */
export const PIN_SECONDS = 10;

/** Name of a feature's pin: a feature may have any name, a cookie not. */
export function pinCookie(feature: string): string {
  return `strangler_pin_${createHash('sha256').update(feature).digest('hex').slice(0, 8)}`;
}

/** Set-Cookie value that lets a client read the feature at this upstream until PIN_SECONDS from `now` (milliseconds since the epoch). */
export function issuePin(
  feature: string,
  upstream: string,
  { key, now, isSecure }: { readonly key: string; readonly now: number; readonly isSecure: boolean },
): string {
  const text = `${upstream}.${Math.floor(now / 1000) + PIN_SECONDS}`;
  const value = `${text}.${signature(feature, text, key)}`;
  return `${pinCookie(feature)}=${value}; Path=/; Max-Age=${PIN_SECONDS}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
}

/** The upstream that a client's pin names; null when it has none that is signed with this key and not over. */
export function readPin(
  feature: string,
  cookies: string | undefined,
  key: string,
  now: number,
): string | null {
  const value = cookieValue(cookies, pinCookie(feature));
  // A name may hold dots, the two parts behind it don't.
  const found = /^(.{1,63})\.(\d{1,12})\.([A-Za-z0-9_-]{43})$/.exec(value ?? '');
  if (!found) return null;
  const [, upstream = '', expires = '', given = ''] = found;
  const expected = signature(feature, `${upstream}.${expires}`, key);
  if (!timingSafeEqual(Buffer.from(given), Buffer.from(expected))) return null;
  const left = Number(expires) * 1000 - now;
  return left > 0 ? upstream : null;
}

function signature(feature: string, text: string, key: string): string {
  return createHmac('sha256', key).update(`strangler-pin\n${feature}\n${text}`).digest('base64url');
}
