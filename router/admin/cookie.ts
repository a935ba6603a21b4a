/**
 * The console's session. Browsers share cookies between the ports of a host, so the data path strips this one: an upstream that saw it
 * could act as the operator.
 */
export const SESSION_COOKIE = 'strangler_session';

/** Value of the session cookie in a Cookie header (RFC 6265 section 4.2.1); null when it is absent or given twice. */
export function sessionOf(header: string | undefined): string | null {
  const values = (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${SESSION_COOKIE}=`))
    .map((pair) => pair.slice(SESSION_COOKIE.length + 1));
  return values.length === 1 ? values[0]! : null;
}
