import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Route } from '../forward/plan.ts';
import { decorate } from './answer-head.ts';
import type { Received } from './received.ts';

/**
 * Makes a request ready for the monolith's own handlers: they see the path that was decided on, the id under which the request is known,
 * and no override, which belongs to the client and us alone.
 */
export function toMonolith(
  req: IncomingMessage,
  res: ServerResponse,
  received: Received,
  route: Route,
): void {
  const { target, ids } = received;
  if (!target.isVerbatim) req.url = target.path + target.query;
  if (target.authority !== null) req.headers.host = target.authority;
  for (const name of Object.keys(req.headers))
    if (name.startsWith('strangler-') || route.stripHeaders.includes(name)) delete req.headers[name];
  if (req.headers.cookie !== undefined && route.stripCookies.length > 0) {
    const kept = withoutCookies(req.headers.cookie, route.stripCookies);
    if (kept === '') delete req.headers.cookie;
    else req.headers.cookie = kept;
  }
  req.rawHeaders = rawHeadersOf(req, route);
  req.headers['x-request-id'] = ids.requestId;
  decorate(res, route, ids.requestId);
}

function withoutCookies(value: string, names: readonly string[]): string {
  if (!names.some((name) => value.includes(`${name}=`))) return value;
  const pairs = value.split(';').map((pair) => pair.trim());
  return pairs.filter((pair) => !names.includes(pair.split('=', 1)[0]!.trim())).join('; ');
}

/** The raw list, less what was taken out of `headers`: loggers and other proxies read it. */
function rawHeadersOf({ rawHeaders }: IncomingMessage, route: Route): string[] {
  const kept: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    if (name.startsWith('strangler-') || route.stripHeaders.includes(name)) continue;
    const value = rawHeaders[index + 1]!;
    const text = name === 'cookie' ? withoutCookies(value, route.stripCookies) : value;
    if (text !== '' || value === '') kept.push(rawHeaders[index]!, text);
  }
  return kept;
}
