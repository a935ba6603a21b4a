/** A router that serves, however many processes it is. */
export interface Serving {
  readonly url: string;
  readonly adminUrl: string;
  /** Re-reads the files at once (SIGHUP). */
  reload(): void;
  /** Starts processes that take over, without closing the port, and drains those that served so far (SIGUSR2). */
  replace(): Promise<void>;
  /** Lets what is in flight finish, then closes everything. Resolves within `drain.delay` + `drain.deadline`. */
  drain(): Promise<void>;
}
