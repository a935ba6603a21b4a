import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Config } from './config.ts';
import type { Difference } from './parity.ts';

/** One thing seen, as the router's admin port takes it for the feature `mail`. */
export interface Observation {
  readonly side: 'email-api';
  readonly ok: boolean;
  readonly milliseconds: number;
  /** Null where nothing was compared. */
  readonly parity: 'match' | 'mismatch' | null;
  readonly count: 1;
  readonly difference: { readonly subject: string; readonly differences: readonly Difference[] } | null;
}

export interface Observations {
  /** Takes no time and never throws: mail does not wait for who counts it. */
  add(observation: Observation): void;
  /** Hands over what is left, once. */
  stop(): Promise<void>;
}

export interface ObservationsOptions extends Pick<Config, 'flagsUrl' | 'appToken'> {
  readonly log: { warn(fields: object, text: string): void };
  readonly dropped: (count: number) => void;
  /** Milliseconds between two reports. Default 1 s. */
  readonly every?: number;
  /** Observations that are kept while the router is away. Default 5000; the oldest go first. */
  readonly most?: number;
}

/** Observations in one report at most. */
const BATCH = 500;

/** Reports to the router in batches; a router that is away costs observations, never mail. */
export function reportTo({
  flagsUrl,
  appToken,
  log,
  dropped,
  every = 1000,
  most = 5000,
}: ObservationsOptions): Observations {
  if (flagsUrl === null) return { add: () => undefined, stop: () => Promise.resolve() };
  const kept: Observation[] = [];
  const stopped = new AbortController();
  let isWarned = false;

  const flush = async (): Promise<void> => {
    while (kept.length > 0) {
      const batch = kept.slice(0, BATCH);
      // The file may be made after our start, and made anew.
      const token = 'text' in appToken ? appToken.text : (await readFile(appToken.file, 'utf8')).trim();
      const response = await fetch(`${flagsUrl}/api/features/mail/observations`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ observations: batch }),
        signal: AbortSignal.timeout(2000),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`the router answered ${response.status}`);
      // Some of them may have been pushed out meanwhile.
      const taken = new Set(batch);
      while (taken.has(kept[0]!)) kept.shift();
      isWarned = false;
    }
  };
  const tryFlush = (): Promise<void> =>
    flush().catch((error: unknown) => {
      if (!isWarned)
        log.warn({ err: error }, 'the router does not take observations; they are kept for a while');
      isWarned = true;
    });
  const run = (async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await wait(every, undefined, { signal: stopped.signal }).catch(() => undefined);
      await tryFlush();
    }
  })();
  return {
    add(observation) {
      kept.push(observation);
      if (kept.length <= most) return;
      kept.shift();
      dropped(1);
    },
    async stop() {
      stopped.abort();
      await run;
    },
  };
}
