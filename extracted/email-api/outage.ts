import { setTimeout as wait } from 'node:timers/promises';

export interface OutageOptions {
  /** Asks the mail server itself. */
  readonly isUp: () => Promise<boolean>;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly log: { warn(text: string): void; info(text: string): void };
  /** Milliseconds until the first look, and at most, as the pause between two looks doubles. Default 500 and 30 s. */
  readonly least?: number;
  readonly most?: number;
  /** 0 to 1; by it, several consumers do not look at the same moment. */
  readonly random?: () => number;
}

export interface Outage {
  /** Tells whether the server as a whole is gone. If so, nothing is taken until it is back. */
  isOut(): Promise<boolean>;
  /** Whether it is gone as far as is known. */
  isKnown(): boolean;
  stop(): void;
}

/**
 * Tells a mail that fails from a mail server that fails: by asking the server, with no mail. While it is gone, no job is taken, so that none uses up its
 * attempts for what is not its fault.
 */
export function watchOutage({
  isUp,
  pause,
  resume,
  log,
  least = 500,
  most = 30_000,
  random = Math.random,
}: OutageOptions): Outage {
  let asking: Promise<boolean> | null = null;
  let isDown = false;
  const stopped = new AbortController();

  const lookUntilBack = async (): Promise<void> => {
    for (let pauseFor = least; ; pauseFor = Math.min(pauseFor * 2, most)) {
      await wait(pauseFor * (0.5 + random() / 2), undefined, { signal: stopped.signal });
      if (await isUp()) break;
    }
    isDown = false;
    log.info('the mail server is back');
    resume();
  };
  const ask = async (): Promise<boolean> => {
    if (await isUp()) return false;
    isDown = true;
    log.warn('the mail server can not be reached; no mail is taken until it is back');
    pause();
    // Ends by `stop` too, which is no fault.
    void lookUntilBack().catch(() => undefined);
    return true;
  };
  return {
    isOut: () => {
      if (isDown) return Promise.resolve(true);
      asking ??= ask().finally(() => (asking = null));
      return asking;
    },
    isKnown: () => isDown,
    stop: () => stopped.abort(),
  };
}
