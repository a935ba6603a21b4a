import type { Logger } from 'pino';

export interface EndedSessions {
  /** True when the list was read at least once; waits for the first attempt to be over. */
  isKnown(): Promise<boolean>;
  has(jti: string): boolean;
  stop(): void;
}

export interface EndedSessionsOptions {
  /** Who publishes the list. */
  readonly shopUrl: string;
  readonly log: Pick<Logger, 'warn'>;
  /** Milliseconds from one look to the next. */
  readonly pollEvery: number;
  /** Milliseconds that the shop has to answer. */
  readonly patience: number;
}

/**
 * The sessions that were logged out before their token expired, read from the shop again and again. One look at a time, so that a slow old answer can't
 * replace a newer one; a list that did not change is not sent twice (ETag). While the shop can't be reached, the last list holds.
 */
export function watchEndedSessions({
  shopUrl,
  log,
  pollEvery,
  patience,
}: EndedSessionsOptions): EndedSessions {
  const url = new URL('/.well-known/revoked-sessions', shopUrl);
  const stopping = new AbortController();
  let ended: ReadonlySet<string> | null = null;
  let tag: string | null = null;
  let isReachable = true;
  let timer: NodeJS.Timeout | undefined;

  const read = async (): Promise<void> => {
    const response = await fetch(url, {
      headers: tag === null ? {} : { 'if-none-match': tag },
      signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(patience)]),
    });
    if (response.status === 304) {
      await response.body?.cancel();
      return;
    }
    if (!response.ok) throw new Error(`${url.href} answered ${response.status}`);
    const { revoked } = (await response.json()) as { revoked: readonly { readonly jti: string }[] };
    ended = new Set(revoked.map(({ jti }) => jti));
    tag = response.headers.get('etag');
  };
  const look = async (): Promise<void> => {
    try {
      await read();
      isReachable = true;
    } catch (error) {
      // Said once, not every two seconds.
      if (isReachable && !stopping.signal.aborted)
        log.warn({ err: error }, 'the ended sessions can not be read; those known so far hold');
      isReachable = false;
    }
    if (!stopping.signal.aborted) timer = setTimeout(() => void look(), pollEvery);
  };
  const first = look();

  return {
    isKnown: async () => {
      if (ended === null) await first;
      return ended !== null;
    },
    has: (jti) => ended?.has(jti) ?? false,
    stop: () => {
      stopping.abort();
      clearTimeout(timer);
    },
  };
}
