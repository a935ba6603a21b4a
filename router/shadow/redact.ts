import type { Difference, Value } from './compare/difference.ts';

const GONE = '[redacted]';

/** Names whose values are secrets, be they of query parameters or of JSON members. */
const SECRET_NAME =
  /(?:^pass$|password|passwd|passphrase|pwd|secret|token|session|^sid$|csrf|xsrf|credential|api[-_]?key|private[-_]?key|^sig$|signature|^auth$|authorization|cookie|jwt|^otp$)/i;

/** Names that are secrets in a query, and mostly something else in JSON: an authorization code (RFC 6749 section 4.1.2) is not an error code. */
const SECRET_PARAMETER = /^(?:key|code)$/i;

const SECRET_HEADER = /^(?:cookie|set-cookie2?|authorization|proxy-authorization|strangler-.*)$/i;

/** Shortest secret that is looked for elsewhere: shorter ones stand everywhere by chance. */
const MIN_SECRET = 5;

type Lines = readonly (readonly [name: string, value: string])[];

/** What must not be stored of one exchange: the values of its cookies and credentials, whole and in their parts. */
export function secretsOf(...heads: readonly Lines[]): string[] {
  const found = new Set<string>();
  for (const [name, value] of heads.flat()) {
    if (!SECRET_HEADER.test(name)) continue;
    found.add(value);
    if (/authorization$/i.test(name)) addCredentials(found, value);
    else
      for (const pair of value.split(name.toLowerCase() === 'cookie' ? ';' : /;.*$/s)) {
        const secret = pair
          .slice(pair.indexOf('=') + 1)
          .trim()
          .replaceAll('"', '');
        found.add(secret);
        try {
          found.add(decodeURIComponent(secret));
        } catch {
          // Not percent-encoded.
        }
      }
  }
  // The longest first, so that no part of a secret is left beside its redacted middle.
  return [...found].filter((each) => each.length >= MIN_SECRET).toSorted((a, b) => b.length - a.length);
}

/** `Bearer TOKEN` and `Basic base64(user:password)` (RFC 7617): the parts are secrets on their own. */
function addCredentials(found: Set<string>, value: string): void {
  const credentials = value.slice(value.indexOf(' ') + 1).trim();
  found.add(credentials);
  if (!/^basic /i.test(value)) return;
  const pair = Buffer.from(credentials, 'base64').toString();
  found.add(pair);
  found.add(pair.slice(pair.indexOf(':') + 1));
}

/** A text without the secrets. */
export function redactText(text: string, secrets: readonly string[]): string {
  let redacted = text;
  for (const secret of secrets) redacted = redacted.replaceAll(secret, GONE);
  return redacted;
}

/** A request target whose query keeps no value of a secret's name. */
export function redactTarget(target: string, secrets: readonly string[]): string {
  const start = target.indexOf('?');
  if (start === -1) return redactText(target, secrets);
  const pairs = target
    .slice(start + 1)
    .split('&')
    .map((pair) => {
      const name = pair.split('=', 1)[0]!;
      return pair.includes('=') && (SECRET_NAME.test(name) || SECRET_PARAMETER.test(name))
        ? `${name}=${GONE}`
        : pair;
    });
  return redactText(`${target.slice(0, start)}?${pairs.join('&')}`, secrets);
}

/** Differences without secrets: none of the exchange's, and no value where the place has a secret's name. */
export function redactDifference(difference: Difference, secrets: readonly string[]): Difference {
  const { kind, where, primary, shadow } = difference;
  const isSecret = kind === 'json' && where.split(/[.[\]"]+/).some((name) => SECRET_NAME.test(name));
  const redact = (value: Value | undefined): Value | undefined => {
    if (value === undefined) return undefined;
    if (isSecret) return GONE;
    const text = String(value);
    const redacted = redactText(text, secrets);
    return redacted === text ? value : redacted;
  };
  const one = redact(primary);
  const other = redact(shadow);
  return {
    kind,
    where: redactText(where, secrets),
    ...(one === undefined ? {} : { primary: one }),
    ...(other === undefined ? {} : { shadow: other }),
  };
}
