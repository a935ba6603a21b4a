/**
 * One path. What is decided on is what is forwarded, byte for byte, so the path of a request is brought into one canonical form first
 * (RFC 3986 section 6.2.2): absolute-form becomes origin-form, unreserved characters are decoded, escapes get capital digits, dot
 * segments are resolved.
 *
 * Some paths are read differently by different servers: is `%2f` a slash, a backslash a slash, `..;` a dot segment? Such a path is
 * never "repaired", because whichever reading we chose, an upstream may choose another and serve what we did not decide on. It stays
 * as it came, with the list of its readings; the caller refuses it when one of them belongs to a feature, and otherwise passes it on
 * unchanged to the upstream that has always seen it.
 */
export interface CanonicalPath {
  readonly path: string;
  /** With its leading `?`; empty when there is none. Never changed. */
  readonly query: string;
  /** Authority of an absolute-form target, which must agree with Host (RFC 9112 section 3.2.2); else null. */
  readonly authority: string | null;
  /** Other canonical paths a server might see in an ambiguous one; null when there is only one way to read it. */
  readonly readings: readonly string[] | null;
}

const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;
/** Bytes a request target may hold (RFC 3986 pchar, `/`, `?`) and those that browsers send though they should not. */
const ALLOWED = /^[\x21\x22\x24-\x7e\x80-\xff]*$/;
const AMBIGUOUS = /%(?:2f|5c|00|2e%2f)|\\|;|%(?![0-9a-f]{2})|\/\//i;
const PLAIN = /^\/[A-Za-z0-9_~!$&'()*+,=:@/-]*$/;

/** Canonical form of a request target; null when it is none (not origin-form, absolute-form or `*`; a fragment; a control character). */
export function canonicalise(target: string): CanonicalPath | null {
  // The common case costs one scan: nothing to decode, no dots, no doubt.
  if (PLAIN.test(target) && !target.includes('//'))
    return { path: target, query: '', authority: null, readings: null };
  if (target === '*') return { path: '*', query: '', authority: null, readings: null };
  if (!ALLOWED.test(target)) return null;
  const absolute = ABSOLUTE.exec(target);
  const authority = absolute ? absolute[1]! : null;
  if (authority === '') return null;
  const rest = absolute ? absolute[2]! : target;
  const mark = rest.indexOf('?');
  const origin = mark === -1 ? rest : rest.slice(0, mark);
  const raw = absolute && origin === '' ? '/' : origin;
  const query = mark === -1 ? '' : rest.slice(mark);
  if (!raw.startsWith('/')) return null;
  if (AMBIGUOUS.test(raw)) return { path: raw, query, authority, readings: readingsOf(raw) };
  return { path: resolveDots(decodeUnreserved(raw)), query, authority, readings: null };
}

function decodeUnreserved(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(/%([0-9a-fA-F]{2})/g, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
  });
}

/** RFC 3986 section 5.2.4. A dot segment at the end leaves the slash before it. */
function resolveDots(path: string): string {
  if (!path.includes('/.')) return path;
  const out: string[] = [];
  const segments = path.split('/').slice(1);
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    if (segment === '..') out.pop();
    else if (segment !== '.') out.push(segment);
    if (isLast && (segment === '.' || segment === '..')) out.push('');
  });
  return `/${out.join('/')}`;
}

/**
 * How servers may read an ambiguous path: each doubt taken either way. Faulty escapes stay as they are in every reading. A path has few
 * doubts, and each kind is taken for the whole path at once, so the list stays short.
 */
function readingsOf(path: string): string[] {
  const doubts: readonly ((path: string) => string)[] = [
    (text) => text.replace(/%2f/gi, '/'),
    (text) => text.replace(/%5c/gi, '\\'),
    (text) => text.replaceAll('\\', '/'),
    // Path parameters (`..;x`, `images;v=1`) are cut off by servlet containers before they resolve dots.
    (text) => text.replace(/;[^/]*/g, ''),
    // A C string ends at NUL.
    (text) => text.replace(/%00.*$/, ''),
    (text) => text.replace(/\/{2,}/g, '/'),
    // Decoded once more: `%252f` behind a proxy that decodes.
    (text) => text.replace(/%25([0-9a-fA-F]{2})/g, '%$1'),
  ];
  let readings = [path];
  for (const doubt of doubts) readings = [...new Set([...readings, ...readings.map(doubt)])];
  return [...new Set(readings.map((reading) => resolveDots(decodeUnreserved(reading))))];
}
