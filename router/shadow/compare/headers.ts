import { header, type Answer } from './answer.ts';
import type { Findings } from './difference.ts';
import { isSameInstant } from './instants.ts';

/** What speaks of the answer itself, and not of the program, the machine or the connection that it came from. */
export const DEFAULT_HEADERS: readonly string[] = [
  'content-type',
  'content-language',
  'content-disposition',
  'content-location',
  'content-range',
  'location',
  'link',
  'allow',
  'www-authenticate',
  'cache-control',
  'access-control-allow-origin',
  'x-content-type-options',
  'etag',
];

/** What `all` leaves out: framing and coding of one hop's body, and what a side says of itself. Secrets are left out of every list. */
const TRANSPORT = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'content-encoding',
  'server',
  'via',
]);

const SECRET = /^(?:set-cookie2?|cookie|authorization|proxy-authorization|strangler-.*)$/;

/** Headers whose value each side makes up: that there is one is all that can agree. */
const PRESENCE = new Set(['etag']);

/** Compares the listed headers (lower-case names), or all of them. `now`: milliseconds since the epoch. */
export function compareHeaders(
  primary: Answer,
  shadow: Answer,
  names: readonly string[] | 'all',
  now: number,
  findings: Findings,
): void {
  for (const name of names === 'all' ? namesOf(primary, shadow) : names) {
    if (SECRET.test(name)) continue;
    const one = header(primary, name);
    const other = header(shadow, name);
    // Frameworks put one on errors too, where nobody asks for it.
    const isError = primary.status >= 400;
    if (PRESENCE.has(name) && (isError || (one === undefined) === (other === undefined))) continue;
    if (normal(name, one) === normal(name, other) || isSameInstant(one, other, now)) continue;
    findings.add({
      kind: 'header',
      where: `header ${name}`,
      ...(one === undefined ? {} : { primary: one }),
      ...(other === undefined ? {} : { shadow: other }),
    });
  }
}

function namesOf(primary: Answer, shadow: Answer): string[] {
  const all = [...primary.headers, ...shadow.headers].map(([name]) => name);
  return [...new Set(all)].filter((name) => !TRANSPORT.has(name));
}

/** Names of types, charsets and directives are case-insensitive, and blanks around `;` and `,` mean nothing (RFC 9110 section 5.6). */
function normal(name: string, value: string | undefined): string | undefined {
  if (value === undefined || (name !== 'content-type' && name !== 'cache-control')) return value;
  const pieces = value
    .toLowerCase()
    .split(/\s*[;,]\s*/)
    .map((piece) => piece.replaceAll('"', ''));
  if (name === 'cache-control') return pieces.toSorted().join(';');
  // JSON is UTF-8, said or not (RFC 8259 section 11).
  const isJson = /^application\/(?:json|.+\+json)$/.test(pieces[0]!);
  return pieces.filter((piece) => !isJson || piece !== 'charset=utf-8').join(';');
}
