import { createHmac, randomUUID, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Request } from 'express';
import { SignJWT, exportJWK, generateKeyPair, importJWK, jwtVerify, type JWK } from 'jose';
import type pg from 'pg';

export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
}

export interface Sessions {
  /** A signed token for the cookie `sid`. */
  issue(user: User): Promise<string>;
  /** Who sent the request; null for nobody, an expired token or one that was logged out. */
  userOf(request: Request): Promise<User | null>;
  /** Ends the session of this request, everywhere. */
  revoke(request: Request): Promise<void>;
  /** Public keys, for whoever has to check tokens of this shop (RFC 7517). */
  keySet(): { keys: JWK[] };
  /** Sessions that were ended before their token expires. */
  revoked(): Promise<{ jti: string; exp: number }[]>;
  /** An unguessable mark for a number, for links that must work without login. */
  mark(purpose: string): string;
}

/** Life of a session, in seconds. */
export const SESSION_SECONDS = 7 * 24 * 3600;

const derive = promisify(scrypt) as (password: string, salt: string, length: number) => Promise<Buffer>;

/** Opens the sessions with the key that the database keeps; the first start of the first shop makes it. */
export async function openSessions(pool: pg.Pool): Promise<Sessions> {
  const { kid, jwk } = await signingKey(pool);
  const privateKey = await importJWK(jwk, 'ES256');
  const { d: _, ...publicJwk } = jwk;
  const publicKey = await importJWK(publicJwk, 'ES256');

  const claims = async (request: Request): Promise<{ user: User; jti: string; exp: number } | null> => {
    const token = cookie(request.get('cookie'), 'sid');
    if (!token) return null;
    try {
      const { payload } = await jwtVerify(token, publicKey, { algorithms: ['ES256'], issuer: 'shop' });
      return {
        user: { id: String(payload.sub), email: String(payload['email']), name: String(payload['name']) },
        jti: String(payload.jti),
        exp: payload.exp!,
      };
    } catch {
      return null;
    }
  };

  return {
    issue: ({ id, email, name }) =>
      new SignJWT({ email, name })
        .setProtectedHeader({ alg: 'ES256', kid })
        .setIssuer('shop')
        .setSubject(id)
        .setJti(randomUUID())
        .setIssuedAt()
        .setExpirationTime(`${SESSION_SECONDS}s`)
        .sign(privateKey),
    async userOf(request) {
      const found = await claims(request);
      if (!found) return null;
      const { rowCount } = await pool.query('SELECT FROM revoked_sessions WHERE jti = $1', [found.jti]);
      return rowCount === 0 ? found.user : null;
    },
    async revoke(request) {
      const found = await claims(request);
      if (!found) return;
      await pool.query(
        'INSERT INTO revoked_sessions (jti, expires_at) VALUES ($1, to_timestamp($2)) ON CONFLICT DO NOTHING',
        [found.jti, found.exp],
      );
      await pool.query('DELETE FROM revoked_sessions WHERE expires_at < now()');
    },
    keySet: () => ({ keys: [{ ...publicJwk, kid, alg: 'ES256', use: 'sig' }] }),
    async revoked() {
      const { rows } = await pool.query<{ jti: string; exp: number }>(
        'SELECT jti, extract(epoch FROM expires_at)::int AS exp FROM revoked_sessions WHERE expires_at > now() ORDER BY expires_at DESC, jti LIMIT 100000',
      );
      return rows;
    },
    mark: (purpose) => createHmac('sha256', jwk.d!).update(purpose).digest('base64url').slice(0, 22),
  };
}

/** Two shops may start at once on an empty table; the lock lets the second find the first one's key. */
async function signingKey(pool: pg.Pool): Promise<{ kid: string; jwk: JWK }> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE');
    const { rows } = await client.query<{ kid: string; private_jwk: JWK }>(
      'SELECT kid, private_jwk FROM signing_keys ORDER BY created_at, kid LIMIT 1',
    );
    let row = rows[0];
    if (!row) {
      const { privateKey } = await generateKeyPair('ES256', { extractable: true });
      row = { kid: randomUUID(), private_jwk: await exportJWK(privateKey) };
      await client.query('INSERT INTO signing_keys (kid, private_jwk) VALUES ($1, $2)', [
        row.kid,
        row.private_jwk,
      ]);
    }
    await client.query('COMMIT');
    return { kid: row.kid, jwk: row.private_jwk };
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    // A connection that failed inside a transaction is not given to the next.
    client.release(failure);
  }
}

/** The value of a cookie in a Cookie header, as it was sent. */
export function cookie(header: string | undefined, name: string): string | undefined {
  const pair = header
    ?.split(';')
    .map((each) => each.trim())
    .find((each) => each.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}

/** `salt:hash`, both in hexadecimal. */
export async function hashPassword(password: string, salt: string): Promise<string> {
  return `${salt}:${(await derive(password, salt, 32)).toString('hex')}`;
}

/** Takes as long for an unknown address as for a known one, so that the answer's time tells nothing. */
export async function checkPassword(password: string, stored: string | null): Promise<boolean> {
  const [salt = ''] = (stored ?? '00:').split(':');
  const given = Buffer.from(await hashPassword(password, salt));
  const wanted = Buffer.from(stored ?? '');
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
