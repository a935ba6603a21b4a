import { PLAIN } from './octets.ts';

/**
 * One path. What is decided on and what is forwarded are the same bytes, in the normal form of RFC 3986 section 6.2.2: unreserved characters
 * plain, other escapes with capitals, dot segments resolved.
 *
 * Some paths have no one normal form, for servers read them differently: `%2f` is a slash to some, `\` too, `%00` ends the path, `;` ends a segment
 * to servlet containers (so that `..;` is `..`), `//` is `/`, a faulty escape is anything. Such a path is not touched; instead its possible readings are listed, and
 * whoever decides refuses it when one of them belongs to a feature. So no spelling reaches a server that the decision was not about.
 */
export interface CanonicalPath {
  readonly path: string;
  /** Other readings of an ambiguous path; null when there is one only. */
  readonly readings: readonly string[] | null;
}

/** An ambiguous path longer than this is refused: all its readings have to be looked up. In bytes. */
const MAX_AMBIGUOUS = 2048;

/**
 * End of a path that is its own normal form: the position of `?`, or `to`; -1 when it must be looked at closely. Most paths are plain, and
 * this is all that is done to them.
 */
export function endOfPlainPath(bytes: Buffer, from: number, to: number): number {
  if (bytes[from] !== 47) return -1;
  let at = from + 1;
  let isAfterSlash = true;
  for (; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === 47) {
      if (isAfterSlash) return -1;
      isAfterSlash = true;
    } else {
      if (PLAIN[byte] === 0) return byte === 63 ? at : -1;
      if (isAfterSlash && byte === 46) return -1;
      isAfterSlash = false;
    }
  }
  return at;
}

/** Normal form, or readings, of a path that starts with `/` and holds visible ASCII without `?` and `#`. */
export function canonicalPath(raw: string): CanonicalPath {
  if (isAmbiguous(raw)) return { path: raw, readings: raw.length > MAX_AMBIGUOUS ? [] : readingsOf(raw) };
  return { path: withoutDotSegments(normalEscapes(raw)), readings: null };
}

function isAmbiguous(raw: string): boolean {
  return /[\\"<>^`{|};]|\/\/|%(?![0-9A-Fa-f]{2})|%(?:2f|5c|0[0-9a-f]|1[0-9a-f]|7f)/i.test(raw);
}

/** Unreserved characters decoded, the hexadecimal digits of what stays in capitals; faulty escapes stay as they are. */
function normalEscapes(raw: string): string {
  if (!raw.includes('%')) return raw;
  return raw.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : `%${hex.toUpperCase()}`;
  });
}

/** RFC 3986 section 5.2.4. */
function withoutDotSegments(path: string): string {
  if (!path.includes('/.')) return path;
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if (isLast && (segment === '..' || segment === '.')) kept.push('');
  });
  return `/${kept.join('/')}`;
}

/** What servers are known to do to a path. */
const HABITS: readonly ((path: string) => string)[] = [
  normalEscapes,
  withoutDotSegments,
  (path) => path.replace(/["<>^`{|}]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`),
  (path) =>
    path.replace(/%u00([0-9A-Fa-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
  (path) => path.replace(/%(?:2f|5c)/gi, (found) => (found[1] === '2' ? '/' : '\\')),
  (path) => path.replace(/%(?:00|u0000).*$/i, ''),
  (path) => path.replaceAll('\\', '/'),
  (path) => path.replace(/;[^/]*/g, ''),
  (path) => path.replace(/\/{2,}/g, '/'),
];

/** A path with more readings than this is refused: nobody sends one in good faith, and all have to be looked up. */
const MAX_READINGS = 256;

/** All that comes of the habits, some or all, in any order, again and again. */
function readingsOf(raw: string): string[] {
  const readings = new Set([raw]);
  for (const reading of readings) {
    for (const habit of HABITS) readings.add(habit(reading));
    if (readings.size > MAX_READINGS) break;
  }
  return [...readings];
}

/** True when not all readings of an ambiguous path could be listed. */
export function hasTooManyReadings({ path, readings }: CanonicalPath): boolean {
  return readings !== null && (path.length > MAX_AMBIGUOUS || readings.length > MAX_READINGS);
}
