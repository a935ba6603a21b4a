import express, { type Request, type Response } from 'express';
import type pg from 'pg';
import { Problem } from './errors.ts';
import { SESSION_SECONDS, checkPassword, type Sessions } from './sessions.ts';
import { safeId, userByEmail } from './store.ts';
import { createThrottle } from './throttle.ts';

/** Login, logout, and what services need to know of both. */
export function loginRoutes(
  pool: pg.Pool,
  sessions: Sessions,
  throttle: ReturnType<typeof createThrottle> = createThrottle(),
): express.Router {
  const router = express.Router();

  router.get('/login', async (request, response) => {
    const user = await sessions.userOf(request);
    response
      .set('cache-control', 'private, no-store')
      .render('login', { user, next: localPath(request.query['next']), message: null, email: '' });
  });
  router.post('/login', async (request, response) => {
    const { email, password, next } = (request.body ?? {}) as Record<string, unknown>;
    if (!isShortText(email) || !isShortText(password))
      throw new Problem('BAD_REQUEST', 'email and password are needed, both as text');
    response.set('cache-control', 'private, no-store');
    const address = email.trim().toLowerCase();
    const user = await throttle(address, async () => {
      const found = await userByEmail(pool, address);
      return (await checkPassword(password, found?.password_hash ?? null)) ? found : null;
    });
    if (!user) {
      const message = 'No account has this e-mail address and password.';
      if (!isForm(request)) throw new Problem('WRONG_PASSWORD', message);
      response.status(401).render('login', { user: null, next: localPath(next), message, email });
      return;
    }
    response.cookie('sid', await sessions.issue(user), {
      httpOnly: true,
      sameSite: 'lax',
      path: '/',
      maxAge: SESSION_SECONDS * 1000,
      secure: isHttps(request),
    });
    if (isForm(request)) response.redirect(303, localPath(next));
    else response.json({ id: safeId(user.id), email: user.email, name: user.name });
  });
  router.post('/logout', async (request, response) => {
    await sessions.revoke(request);
    response.clearCookie('sid', { httpOnly: true, sameSite: 'lax', path: '/' });
    if (isForm(request)) response.redirect(303, '/');
    else response.status(204).end();
  });
  router.get('/me', async (request, response) => {
    const user = await sessions.userOf(request);
    if (!user) throw new Problem('UNAUTHENTICATED', 'nobody is logged in');
    response
      .set('cache-control', 'private, no-store')
      .json({ id: safeId(user.id), email: user.email, name: user.name });
  });
  router.get('/.well-known/jwks.json', (_request, response) => {
    response.set('cache-control', 'public, max-age=300').json(sessions.keySet());
  });
  router.get('/.well-known/revoked-sessions', async (_request, response) => {
    response.set('cache-control', 'no-cache').json({ revoked: await sessions.revoked() });
  });
  return router;
}

/** True for what a browser's form sends; it is answered with a redirect, everything else with JSON. */
export function isForm(request: Request): boolean {
  return request.is(['application/x-www-form-urlencoded', 'multipart/form-data']) !== false;
}

/** True for browsers: whoever prefers HTML by name. A client that takes anything gets what programs read. */
export function wantsPage(request: Request): boolean {
  return request.accepts(['application/json', 'text/html']) === 'text/html';
}

/**
 * A form on another site must not act in a customer's name; the cookie's SameSite=Lax stops most, this the rest. Programs send no Origin. A
 * proxy in between keeps the Host, so it is the one the browser was at.
 */
export function refuseForeignForms(request: Request, _response: Response, next: () => void): void {
  const origin = request.get('origin');
  if (
    request.method === 'POST' &&
    origin !== undefined &&
    (!URL.canParse(origin) || new URL(origin).host !== ownHost(origin, request.get('host')))
  )
    throw new Problem('FOREIGN_ORIGIN', 'reload the page and try again');
  next();
}

/** The Host as URLs write it: in small letters, and without the port when it is the scheme's own. */
function ownHost(origin: string, host: string | undefined): string | null {
  const url = `${new URL(origin).protocol}//${host ?? ''}`;
  return URL.canParse(url) ? new URL(url).host : null;
}

/** A path of this shop; anything else would make the login page a springboard to other sites. */
function localPath(next: unknown): string {
  return typeof next === 'string' && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) ? next : '/';
}

function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 1000 && !value.includes('\0');
}

function isHttps(request: Request): boolean {
  return request.secure || request.get('x-forwarded-proto') === 'https';
}
