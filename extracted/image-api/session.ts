import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import { Problem } from './problem.ts';

export interface SessionCheck {
  /** Lets logged-in customers of the shop pass, answers 401 to everybody else. */
  readonly require: RequestHandler;
  stop(): void;
}

export interface SessionOptions {
  readonly shopUrl: string;
  readonly log: Pick<Logger, 'warn'>;
  /** Milliseconds between two looks at the ended sessions: how long a logout at the shop may take to count here. Default 2 s. */
  readonly pollEvery?: number;
}

/**
 * Checks the shop's session tokens (cookie `sid`, a JWT signed with ES256) with the keys the shop publishes. The service has no session of its own:
 * who is logged in at the shop is logged in here, and a logout there counts here after `pollEvery`. Keys are cached; when the shop can't be
 * reached, what is known goes on to hold, and with no key known yet nobody is let in.
 */
export function checkSessions({ shopUrl, log, pollEvery = 2000 }: SessionOptions): SessionCheck {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', shopUrl), {
    timeoutDuration: 3000,
    cooldownDuration: 1000,
    cacheMaxAge: 600_000,
  });
  const ended = new Set<string>();
  let isReachable = true;

  const poll = async (): Promise<void> => {
    try {
      const response = await fetch(new URL('/.well-known/revoked-sessions', shopUrl), {
        signal: AbortSignal.timeout(3000),
      });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const { revoked } = (await response.json()) as { revoked: { jti: string }[] };
      ended.clear();
      for (const { jti } of revoked) ended.add(jti);
      isReachable = true;
    } catch (error) {
      if (isReachable)
        log.warn({ err: error }, 'the ended sessions can not be read; those known so far hold');
      isReachable = false;
    }
  };
  void poll();
  const timer = setInterval(() => void poll(), pollEvery);

  return {
    stop: () => clearInterval(timer),
    require: async (request, _response, next) => {
      const token = /(?:^|;\s*)sid=([^;]+)/.exec(request.get('cookie') ?? '')?.[1];
      if (!token) throw new Problem(401, 'log in to change pictures');
      const verified = await jwtVerify(token, keys, { algorithms: ['ES256'], issuer: 'shop' }).catch(
        () => null,
      );
      if (!verified || (verified.payload.jti !== undefined && ended.has(verified.payload.jti)))
        throw new Problem(401, 'the session has ended; log in again');
      next();
    },
  };
}
