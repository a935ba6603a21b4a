import type { KeySource } from '../config/schema.ts';
import { cookieValue } from './cookie.ts';

/** What has headers: reads one by its lower-case name. */
export interface Headed {
  header(name: string): string | undefined;
}

/** The key that decides a request's side: the first source that is present and not empty; null when none is. */
export function keyOf(sources: readonly KeySource[], asked: Headed): string | null {
  for (const source of sources) {
    const key =
      'header' in source
        ? asked.header(source.header)
        : 'issue' in source
          ? cookieValue(asked.header('cookie'), source.issue)
          : fromCookie(source, asked);
    if (key) return key;
  }
  return null;
}

function fromCookie(
  source: { readonly cookie: string; readonly claim?: string | undefined },
  asked: Headed,
): string | undefined {
  const value = cookieValue(asked.header('cookie'), source.cookie);
  return value === undefined || source.claim === undefined ? value : claimOf(value, source.claim);
}

/**
 * One claim of a JSON web token (RFC 7519), its signature not checked: the key chooses a side, it grants nothing, and the upstream
 * checks the token itself. Undefined for what is not a token or has no such claim.
 */
export function claimOf(token: string, claim: string): string | undefined {
  const start = token.indexOf('.') + 1;
  const end = token.indexOf('.', start);
  if (start === 0 || end === -1) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.slice(start, end), 'base64url').toString());
    const value =
      typeof claims === 'object' && claims !== null && Object.hasOwn(claims, claim)
        ? (claims as Record<string, unknown>)[claim]
        : undefined;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  } catch {
    return undefined;
  }
}
