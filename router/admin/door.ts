import type { Request, RequestHandler, Response } from 'express';
import { Problem } from '../errors.ts';
import { createAttempts } from './attempts.ts';
import { SESSION_COOKIE, sessionOf } from './cookie.ts';
import { createSessions } from './session.ts';
import { isToken } from './token.ts';

export interface Door {
  /** Lets a request in that has the token, or the session cookie and comes from the console's own pages. */
  readonly authorize: RequestHandler;
  /** The same, and lets the token of applications in: for what they may do. */
  readonly admit: RequestHandler;
  /** `POST /session {token}` → 204 and the cookie. */
  readonly login: RequestHandler;
  /** `GET /session` → `{ signedIn }`, so that a page can ask without being refused. */
  readonly look: RequestHandler;
  /** `DELETE /session` → 204; the session is over, whoever else holds its cookie. */
  readonly logout: RequestHandler;
  /** Whether what let this request in still holds: what stays open (server-sent events) asks again. */
  isStillOpen(request: Request): boolean;
}

/** A form or a picture of another site can't send it without asking first (CORS), and the admin port never says yes. */
export const CONSOLE_HEADER = 'strangler-console';

const BEARER = /^Bearer (.+)$/i;

interface DoorOptions {
  readonly token: string;
  /** Opens `admit` only. */
  readonly appToken: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Who may use the admin API. Scripts send the token with each request; the console trades it for a cookie. More than ten wrong tokens a
 * minute from one address are answered 429. The right one is let in even then: else whoever shares the operator's address (any program on
 * the machine, behind loopback) could keep the kill switch from them. So what protects is the token's length; the limit keeps guessing from being cheap and
 * quiet.
 *
 * Host is not checked: a name that an attacker points at this port (DNS rebinding) gets neither cookie nor token sent by the browser, and
 * without them there is nothing to be had here but health and metrics.
 */
export function createDoor({ token, appToken, now }: DoorOptions): Door {
  const sessions = createSessions({ token, now });
  const attempts = createAttempts(now);
  const check = (given: string, request: Request, response: Response, admitsApps = false): void => {
    // Both are always compared, so that the time says nothing of which it was.
    const [isAdmin, isApp] = [isToken(given, token), isToken(given, appToken)];
    if (isAdmin || (isApp && admitsApps)) return;
    if (isApp)
      throw new Problem(
        'APP_TOKEN',
        `this is the token of applications, which may evaluate flags and report observations; the admin token is in STRANGLER_ADMIN_TOKEN, or in the file admin-token`,
      );
    const wait = attempts.wrong(request.socket.remoteAddress ?? '');
    if (wait !== null) {
      response.set('retry-after', String(wait));
      throw new Problem(
        'TOO_MANY_TOKENS',
        `too many wrong tokens came from this address; a further one is looked at in ${wait} s`,
      );
    }
    response.set('www-authenticate', 'Bearer realm="strangler"');
    throw new Problem('UNAUTHORIZED', `this is not the token; ${WHERE}`);
  };
  const openSession = (request: Request): string | null => {
    const session = sessionOf(request.get('cookie'));
    return session !== null && sessions.isOpen(session) ? session : null;
  };
  const cookie = (request: Request, value: string, seconds: number): string =>
    `${SESSION_COOKIE}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${'encrypted' in request.socket ? '; Secure' : ''}`;

  const opener =
    (admitsApps: boolean): RequestHandler =>
    (request, response, next) => {
      const authorization = request.get('authorization');
      if (authorization !== undefined) {
        check(BEARER.exec(authorization)?.[1] ?? '', request, response, admitsApps);
        return next();
      }
      if (openSession(request) === null) {
        response.set('www-authenticate', 'Bearer realm="strangler"');
        throw new Problem('UNAUTHORIZED', `send Authorization: Bearer with the token; ${WHERE}`);
      }
      refuseForeign(request);
      const isChange = !['GET', 'HEAD'].includes(request.method);
      if (isChange && request.get(CONSOLE_HEADER) === undefined)
        throw new Problem(
          'FOREIGN_PAGE',
          `a change under the session cookie must carry the header ${CONSOLE_HEADER}`,
        );
      next();
    };

  return {
    authorize: opener(false),
    admit: opener(true),
    login(request, response) {
      refuseForeign(request);
      const given = (request.body as { token?: unknown } | undefined)?.token;
      if (typeof given !== 'string' || given === '')
        throw new Problem('BAD_REQUEST', 'send {"token": "…"} as application/json');
      check(given, request, response);
      response.set('set-cookie', cookie(request, sessions.begin(), sessions.life / 1000));
      response.status(204).end();
    },
    look(request, response) {
      response.json({ signedIn: openSession(request) !== null });
    },
    logout(request, response) {
      refuseForeign(request);
      const session = openSession(request);
      if (session !== null) sessions.end(session);
      response
        .set('set-cookie', cookie(request, '', 0))
        .status(204)
        .end();
    },
    isStillOpen: (request) => request.get('authorization') !== undefined || openSession(request) !== null,
  };
}

const WHERE = 'it is in STRANGLER_ADMIN_TOKEN, or in the file admin-token of the state folder';

/**
 * Cookies don't know ports: a page of the shop on the same host is "same-site" to the console, so SameSite alone does not keep its
 * requests out. Browsers say whose page asks (Fetch Metadata, https://www.w3.org/TR/fetch-metadata/; Origin, RFC 6454 section 7).
 */
function refuseForeign(request: Request): void {
  const site = request.get('sec-fetch-site');
  const origin = request.get('origin');
  const isForeign =
    (site !== undefined && site !== 'same-origin' && site !== 'none') ||
    (origin !== undefined && hostOf(origin) !== request.get('host'));
  if (isForeign)
    throw new Problem('FOREIGN_PAGE', 'under the session cookie only the console’s own pages may ask');
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}
