/**
 * Something that is counted where requests are carried and shown where the admin port is. With `workers` above 1 those are two processes: a
 * worker takes what has come since the last time and sends it up, control adds it to its own. In one process nobody calls either.
 */
export interface Reporter {
  /** Tells reporters apart in a report; the same on both ends. */
  readonly name: string;
  /** What has come since the last call, as JSON; it is forgotten here. */
  take(): unknown;
  /** Adds what a worker took; `from` names the worker. */
  add(delta: unknown, from: string): void;
}
