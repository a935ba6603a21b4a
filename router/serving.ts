import type { Logger } from 'pino';

/** A router that serves, however many processes it is. */
export interface Serving {
  readonly url: string;
  readonly adminUrl: string;
  /** Re-reads the files at once (SIGHUP). */
  reload(): void;
  /** Has new processes take over without closing the port, and drains those that served so far (SIGUSR2). */
  replace(): Promise<void>;
  /** Lets what is in flight finish, then closes everything. Resolves within `drain.delay` + `drain.deadline`. */
  drain(): Promise<void>;
}

/** What a router is started with. */
export interface ServingOptions {
  readonly configPath: string;
  readonly stateDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Gives up waiting for another router to end. */
  readonly cancel?: AbortSignal | undefined;
}
