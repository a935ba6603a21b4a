import type { RequestHandler } from 'express';
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { watchEndedSessions } from './ended-sessions.ts';
import { Problem } from './problem.ts';

export interface SessionCheck {
  /** Lets logged-in customers of the shop pass, and names them in `response.locals.user`; answers 401 to everybody else, and 503 while nobody can tell. */
  readonly require: RequestHandler;
  stop(): void;
}

export interface SessionOptions {
  /** Who issues the sessions, as a URL. */
  readonly shopUrl: string;
  readonly log: Pick<Logger, 'warn'>;
  /** Milliseconds between two looks at the ended sessions: how long a logout at the shop may take to count here. Default 2 s. */
  readonly pollEvery?: number;
  /** Milliseconds after which the keys are fetched anew. Default 10 minutes. */
  readonly keysEvery?: number;
  /** Milliseconds that the shop has to answer. Default 3 s. */
  readonly patience?: number;
}

/** Milliseconds a signature stays good without being looked at again: for so long a key that the shop has taken back may count. */
const VERIFIED_FOR = 60_000;

/**
 * Checks the shop's session tokens (cookie `sid`, a JWT signed with ES256) with the keys the shop publishes. The service has no session of its own:
 * who is logged in at the shop is logged in here, and a logout there counts here after `pollEvery`. Keys are fetched when the first token comes
 * and then kept: when the shop can't be reached, what is known goes on to hold. Before keys and ended sessions were read once, nobody is let in.
 */
export function checkSessions({
  shopUrl,
  log,
  pollEvery = 2000,
  keysEvery = 600_000,
  patience = 3000,
}: SessionOptions): SessionCheck {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', shopUrl), {
    timeoutDuration: patience,
    cooldownDuration: 1000,
    // Keys don't spoil while the shop is down; they are renewed below, and when a token names one that is not known.
    cacheMaxAge: Infinity,
  });
  const renewing = setInterval(
    () =>
      void keys
        .reload()
        .catch((error: unknown) => log.warn({ err: error }, 'the keys can not be read; those known hold')),
    keysEvery,
  );
  const ended = watchEndedSessions({ shopUrl, log, pollEvery, patience });

  /** Tokens whose signatures were found good: who uploads twenty pictures need not have the same one looked at twenty times. */
  const verified = new LRUCache<string, JWTPayload>({ max: 1000, ttl: VERIFIED_FOR });

  const verify = async (token: string): Promise<JWTPayload> => {
    const known = verified.get(token);
    if (known && known.exp! * 1000 > Date.now()) return known;
    try {
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ['ES256'],
        issuer: 'shop',
        requiredClaims: ['sub', 'jti', 'exp'],
      });
      verified.set(token, payload);
      return payload;
    } catch (error) {
      if (isTokenFault(error)) throw new Problem(401, 'the session has ended; log in again');
      throw unknowable();
    }
  };
  return {
    stop: () => {
      clearInterval(renewing);
      ended.stop();
    },
    require: async (request, response, next) => {
      const token = /(?:^|;)\s*sid=([^;\s]+)/.exec(request.get('cookie') ?? '')?.[1];
      if (!token) throw new Problem(401, 'log in to change pictures');
      const { jti, sub } = await verify(token);
      if (!(await ended.isKnown())) throw unknowable();
      if (ended.has(String(jti))) throw new Problem(401, 'the session has ended; log in again');
      response.locals['user'] = sub;
      next();
    },
  };
}

/** jose says no by one of these; what else goes wrong is the shop's key set. */
function isTokenFault(error: unknown): boolean {
  return (
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey
  );
}

function unknowable(): Problem {
  return new Problem(503, 'sessions can not be checked at the moment', { 'retry-after': '2' });
}
