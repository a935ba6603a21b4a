import type { Logger } from 'pino';
import type { AppToken } from './app-token.ts';

/** What happened to one mail, for the router's gates. */
export interface Observation {
  readonly side: string;
  readonly ok: boolean;
  readonly milliseconds: number;
}

export interface Reporter {
  /** Never waits and never throws. */
  report(observation: Observation): void;
  /** Sends what is left, once. */
  stop(): Promise<void>;
}

export interface ReporterOptions {
  /** The router's admin port. */
  readonly url: string;
  readonly feature: string;
  readonly token: AppToken;
  readonly log: Pick<Logger, 'warn'>;
  /** Milliseconds between two batches. Default 1 s. */
  readonly every?: number;
  /** Observations that wait at most; what is above is dropped. Default 1000. */
  readonly most?: number;
  /** Milliseconds a batch may take. Default 1 s. */
  readonly timeout?: number;
}

/** Tells the router of what happened, in batches. A measurement is worth no waiting: what the router does not take at once is dropped. */
export function openReporter(options: ReporterOptions): Reporter {
  const { url, feature, token, log, every = 1000, most = 1000, timeout = 1000 } = options;
  const address = `${url.replace(/\/+$/, '')}/api/features/${encodeURIComponent(feature)}/observations`;
  let waiting: Observation[] = [];
  let sending: Promise<void> | null = null;
  let isDown = false;

  async function send(): Promise<void> {
    const observations = waiting.map((each) => ({ ...each, parity: null, count: 1, difference: null }));
    waiting = [];
    try {
      const response = await fetch(address, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${await token.read()}` },
        body: JSON.stringify({ observations }),
        signal: AbortSignal.timeout(timeout),
      });
      await response.body?.cancel();
      if (response.status === 401 || response.status === 403) token.forget();
      if (!response.ok) throw new Error(`the router answered ${response.status}`);
      isDown = false;
    } catch (error) {
      if (!isDown) log.warn({ err: error, feature }, 'observations are dropped until the router takes them');
      isDown = true;
    }
  }
  const flush = (): void => {
    if (waiting.length > 0) sending ??= send().finally(() => (sending = null));
  };
  const timer = setInterval(flush, every);
  timer.unref();
  return {
    report(observation) {
      if (waiting.length < most) waiting.push(observation);
    },
    async stop() {
      clearInterval(timer);
      await sending;
      flush();
      await sending;
    },
  };
}
