import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Sessions of the console: signed, so that nothing has to be kept of them but the few that were ended before their time. */
export interface Sessions {
  /** Milliseconds that a session lasts. */
  readonly life: number;
  begin(): string;
  /** True until a session is over; false for whatever was not made by `begin` under this token. */
  isOpen(session: string): boolean;
  end(session: string): void;
}

export interface SessionOptions {
  /** The admin token. Another token ends all sessions, a restart of the router none that was not logged out of. */
  readonly token: string;
  readonly now: () => number;
  /** Milliseconds. Default 12 hours. */
  readonly life?: number;
  /** Sessions remembered as logged out; the oldest is forgotten. Default 1024. */
  readonly ended?: number;
}

/** A session is `EXPIRES.NONCE.SIGNATURE`: milliseconds since 1970, 16 random bytes, HMAC-SHA-256 of both (RFC 2104). */
export function createSessions({
  token,
  now,
  life = 12 * 3600_000,
  ended: maxEnded = 1024,
}: SessionOptions): Sessions {
  const key = createHmac('sha256', token).update('console session').digest();
  const sign = (text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const ended = new Set<string>();
  const isOpen = (session: string): boolean => {
    const [, signed = '', expires = '', signature = ''] =
      /^((\d{1,16})\.[\w-]{22})\.([\w-]{43})$/.exec(session) ?? [];
    const given = Buffer.from(signature, 'base64url');
    return (
      given.length === 32 &&
      timingSafeEqual(given, sign(signed)) &&
      now() < Number(expires) &&
      !ended.has(signed)
    );
  };
  return {
    life,
    begin() {
      const signed = `${now() + life}.${randomBytes(16).toString('base64url')}`;
      return `${signed}.${sign(signed).toString('base64url')}`;
    },
    isOpen,
    end(session) {
      if (!isOpen(session)) return;
      if (ended.size >= maxEnded) ended.delete(ended.values().next().value!);
      ended.add(session.slice(0, session.lastIndexOf('.')));
    },
  };
}
