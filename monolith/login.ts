import express, { type Request, type Response } from 'express';
import type pg from 'pg';
import { Problem } from './errors.ts';
import { SESSION_SECONDS, checkPassword, type Sessions, type User } from './sessions.ts';

/** Wrong passwords an address may have in a quarter of an hour, and how many addresses are remembered. */
const ATTEMPTS = 10;
const WINDOW = 15 * 60_000;
const REMEMBERED = 10_000;

/** Login, logout, and what services need to know of both. */
export function loginRoutes(pool: pg.Pool, sessions: Sessions, now: () => number = Date.now): express.Router {
  const router = express.Router();
  const failures = new Map<string, { count: number; since: number }>();

  router.get('/login', async (request, response) => {
    response.set('cache-control', 'private, no-store').render('login', {
      user: await sessions.userOf(request),
      next: localPath(request.query['next']),
      message: null,
      email: '',
    });
  });
  router.post('/login', async (request, response) => {
    const { email, password } = (request.body ?? {}) as { email?: unknown; password?: unknown };
    if (typeof email !== 'string' || typeof password !== 'string' || password.length > 1000)
      throw new Problem('BAD_REQUEST', 'email and password are needed, both as text');
    const address = email.trim().toLowerCase();
    refuseGuessing(failures, address, now());
    const { rows } = await pool.query<User & { password_hash: string }>(
      'SELECT id, email, name, password_hash FROM users WHERE lower(email) = $1',
      [address],
    );
    const user = rows[0];
    if (!(await checkPassword(password, user?.password_hash ?? null)) || !user) {
      remember(failures, address, now());
      if (!isForm(request))
        throw new Problem('WRONG_PASSWORD', 'no account has this e-mail address and password');
      response.status(401).render('login', {
        user: null,
        next: localPath(request.body.next),
        message: 'No account has this e-mail address and password.',
        email,
      });
      return;
    }
    failures.delete(address);
    response.cookie('sid', await sessions.issue(user), {
      httpOnly: true,
      sameSite: 'lax',
      path: '/',
      maxAge: SESSION_SECONDS * 1000,
      secure: isHttps(request),
    });
    if (isForm(request)) response.redirect(303, localPath(request.body.next));
    else response.json({ id: Number(user.id), email: user.email, name: user.name });
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
      .json({ id: Number(user.id), email: user.email, name: user.name });
  });
  router.get(
    '/.well-known/jwks.json',
    (_request, response) => void response.set('cache-control', 'public, max-age=300').json(sessions.keySet()),
  );
  router.get(
    '/.well-known/revoked-sessions',
    async (_request, response) =>
      void response.set('cache-control', 'no-cache').json({ revoked: await sessions.revoked() }),
  );
  return router;
}

export function isForm(request: Request): boolean {
  return request.is(['application/x-www-form-urlencoded', 'multipart/form-data']) !== false;
}

/** A form on another site must not act in a customer's name. JSON needs no check: a browser asks before it sends that across sites. */
export function refuseForeignForms(request: Request, _response: Response, next: () => void): void {
  const origin = request.get('origin');
  if (
    request.method === 'POST' &&
    origin !== undefined &&
    (!URL.canParse(origin) || new URL(origin).host !== request.get('host'))
  ) {
    throw new Problem('FOREIGN_ORIGIN', 'reload the page and try again');
  }
  next();
}

/** A path of this shop; anything else would make the login page a springboard to other sites. */
function localPath(next: unknown): string {
  return typeof next === 'string' && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) ? next : '/';
}

function isHttps(request: Request): boolean {
  return request.secure || request.get('x-forwarded-proto') === 'https';
}

function refuseGuessing(
  failures: Map<string, { count: number; since: number }>,
  address: string,
  now: number,
): void {
  const known = failures.get(address);
  if (!known || now - known.since > WINDOW) return void failures.delete(address);
  if (known.count >= ATTEMPTS)
    throw new Problem(
      'TOO_MANY',
      'too many wrong passwords for this address; try again later',
      Math.ceil((known.since + WINDOW - now) / 1000),
    );
}

function remember(
  failures: Map<string, { count: number; since: number }>,
  address: string,
  now: number,
): void {
  const known = failures.get(address) ?? { count: 0, since: now };
  failures.set(address, { ...known, count: known.count + 1 });
  if (failures.size > REMEMBERED) failures.delete(failures.keys().next().value!);
}

/** True for browsers: whoever names HTML. A client that takes anything gets what programs read. */
export function wantsPage(request: Request): boolean {
  return (request.get('accept') ?? '').includes('text/html');
}
