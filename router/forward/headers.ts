import { randomBytes } from 'node:crypto';
import type { Route } from './plan.ts';

/** Headers as they are on the wire: name, value, name, value; order, case and repetition kept. */
export type RawHeaders = readonly string[];

/** About one hop only, so never passed on (RFC 9110 section 7.6.1). Proxy-Connection is no standard, yet sent. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Set anew by the router, so what a client says of itself is dropped unless it is a trusted proxy. */
const FORWARDED = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-real-ip',
]);

/** Every value of a header by its lower-case name. */
export function valuesOf(raw: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < raw.length; i += 2)
    if (raw[i]!.length === name.length && raw[i]!.toLowerCase() === name) values.push(raw[i + 1]!);
  return values;
}

/** Without hop-by-hop headers and those that Connection names. */
export function endToEnd(raw: RawHeaders): string[] {
  const named = new Set(
    valuesOf(raw, 'connection').flatMap((value) =>
      value.split(',').map((token) => token.trim().toLowerCase()),
    ),
  );
  return filterHeaders(raw, (name) => !HOP_BY_HOP.has(name) && !named.has(name));
}

export function filterHeaders(raw: RawHeaders, keep: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) if (keep(raw[i]!.toLowerCase())) kept.push(raw[i]!, raw[i + 1]!);
  return kept;
}

export interface Hop {
  /** Address of the socket's other end. */
  readonly peer: string;
  readonly secure: boolean;
  readonly host: string;
  /** True when the peer is a proxy whose X-Forwarded-* are believed and appended to. */
  readonly isTrusted: boolean;
  readonly requestId: string;
}

/** The request headers an upstream gets: the client's own ones, then the router's. */
export function upstreamHeaders(
  raw: RawHeaders,
  route: Pick<Route, 'stripHeaders' | 'stripCookies'>,
  hop: Hop,
): string[] {
  const clean = filterHeaders(
    endToEnd(raw),
    (name) =>
      !name.startsWith('strangler-') &&
      !route.stripHeaders.includes(name) &&
      !FORWARDED.has(name) &&
      name !== 'x-request-id' &&
      name !== 'via',
  );
  const headers = route.stripCookies.length === 0 ? clean : withoutCookies(clean, route.stripCookies);
  const believed = (name: string): string => (hop.isTrusted ? valuesOf(raw, name).join(', ') : '');
  const chain = (name: string, own: string): string => [believed(name), own].filter(Boolean).join(', ');
  const node = hop.peer.includes(':') ? `"[${hop.peer}]"` : hop.peer;
  const proto = hop.secure ? 'https' : 'http';
  headers.push('X-Forwarded-For', chain('x-forwarded-for', hop.peer));
  headers.push('X-Forwarded-Proto', believed('x-forwarded-proto') || proto);
  headers.push('X-Forwarded-Host', believed('x-forwarded-host') || hop.host);
  headers.push('Forwarded', chain('forwarded', `for=${node};proto=${proto};host="${hop.host}"`));
  headers.push('Via', [...valuesOf(raw, 'via'), '1.1 strangler'].join(', '));
  headers.push('X-Request-Id', hop.requestId);
  if (valuesOf(raw, 'traceparent').length === 0) headers.push('traceparent', newTrace());
  return headers;
}

/** A request id from a trusted proxy is kept, so that one request has one id everywhere; else a new one. */
export function requestIdOf(raw: RawHeaders, isTrusted: boolean, newId: () => string): string {
  const [given] = isTrusted ? valuesOf(raw, 'x-request-id') : [];
  return given && /^[\w.-]{1,128}$/.test(given) ? given : newId();
}

/** W3C Trace Context, version 00, not sampled: the router records no spans, it only gives those behind it a common id. */
function newTrace(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`;
}

function withoutCookies(raw: RawHeaders, names: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.toLowerCase() !== 'cookie') {
      out.push(raw[i]!, raw[i + 1]!);
      continue;
    }
    const pairs = raw[i + 1]!.split(';').map((pair) => pair.trim());
    const kept = pairs.filter((pair) => !names.includes(pair.split('=', 1)[0]!.trim()));
    if (kept.length > 0) out.push(raw[i]!, kept.length === pairs.length ? raw[i + 1]! : kept.join('; '));
  }
  return out;
}

/** The answer's headers a client gets. The issued cookie goes on HTML that no shared cache may keep (RFC 9111 section 3), nothing else. */
export function clientHeaders(raw: RawHeaders, route: Route): string[] {
  const headers = endToEnd(raw);
  if (route.serverTiming !== null) headers.push('Server-Timing', route.serverTiming);
  if (route.issueCookie !== null && isPrivateHtml(raw)) headers.push('Set-Cookie', route.issueCookie);
  return headers;
}

function isPrivateHtml(raw: RawHeaders): boolean {
  const directives = valuesOf(raw, 'cache-control')
    .join(',')
    .toLowerCase()
    .split(',')
    .map((each) => each.trim());
  return (
    /^text\/html\b/i.test(valuesOf(raw, 'content-type')[0] ?? '') &&
    directives.some((each) => each === 'private' || each === 'no-store')
  );
}
