/**
 * An authority as Host has it (RFC 9110 section 7.2): a name, an IPv4 address or a bracketed IPv6 address, and a port. Of reg-name's
 * characters (RFC 3986 section 3.2.2) only unreserved ones are taken: the others are in no name of a site, but in many an attack.
 */
const AUTHORITY = /^(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{0,5}))?$/;

/** True when `text` is a valid, not empty, Host value. */
export function isAuthority(text: string): boolean {
  const found = AUTHORITY.exec(text);
  return found !== null && Number(found[1] ?? 0) <= 65535;
}
