import type { RequestHandler } from 'express';
import { Problem } from './problem.ts';

/**
 * A page of another site must not upload in a customer's name. The cookie's SameSite keeps most from it, this the rest: browsers name the page's
 * origin with every POST, and it has to be the host that was asked for. Programs name none.
 */
export const sameOrigin: RequestHandler = (request, _response, next) => {
  const origin = request.get('origin');
  if (origin !== undefined && !isSameHost(origin, request.get('host') ?? ''))
    throw new Problem(403, 'this form was sent from another site; reload the page and try again');
  next();
};

/** Compared as URLs have it: letters small, the scheme's own port left out. */
function isSameHost(origin: string, host: string): boolean {
  const page = URL.parse(origin);
  return page !== null && page.host !== '' && page.host === URL.parse(`${page.protocol}//${host}`)?.host;
}
