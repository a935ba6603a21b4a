/** One delivery of a job. */
export interface Job {
  /** The queue's own name for it, for logs. */
  readonly name: string;
  /** Parsed; the text itself where it is not JSON. */
  readonly body: unknown;
  /** How often it was taken, this time included; from 1 on again after it was replayed from the dead letters. */
  readonly attempt: number;
}

/** What becomes of a job. */
export type Verdict =
  /** It is over, and leaves the queue. */
  | { readonly type: 'done' }
  /** It is tried again in `after` seconds, and this attempt counts. */
  | { readonly type: 'retry'; readonly after: number; readonly why: string }
  /** It is given back as if it had not been taken, and may be taken again in `after` seconds. */
  | { readonly type: 'release'; readonly after: number }
  /** It goes to the dead letters, with `why`. */
  | { readonly type: 'dead'; readonly why: string };

/** Decides what becomes of a job. A handler that rejects is one that asked to try again in a second. */
export type Handle = (job: Job) => Promise<Verdict>;

/** What waits in a queue. */
export interface Depth {
  /** Jobs that wait to be taken, for the first time or again. */
  readonly waiting: number;
  readonly dead: number;
  /** Seconds that the oldest of those that could be taken has waited; null where that can not be told cheaply. */
  readonly oldestSeconds: number | null;
}

/**
 * Jobs as a consumer takes them: each at least once, several at a time, in no promised order. A job whose process died, or whose verdict could not be
 * written down, is delivered again. Outages of the queue itself are the driver's: it comes back by itself, however long it takes.
 */
export interface Queue {
  /** Takes jobs from now on. */
  start(handle: Handle): void;
  /** Takes none until `resume`; those under way go on. */
  pause(): void;
  resume(): void;
  /** Whether jobs can be taken now. */
  isUp(): boolean;
  /** Rejects when the queue can't be reached. */
  depth(): Promise<Depth>;
  /** Takes no more, lets those under way end, and closes what it opened. */
  stop(): Promise<void>;
}

/** Name of the queue of jobs, and of its dead letters; the same at both drivers. */
export const MAIL = 'mail';
export const DEAD = 'mail-dead';

/** How often a job may be taken without a verdict, as a process died each time, before the queue itself takes it for dead. */
export const DELIVERY_LIMIT = 20;

/** Runs a handler; whatever it throws is a verdict too. */
export async function verdictOf(handle: Handle, job: Job): Promise<Verdict> {
  try {
    return await handle(job);
  } catch (error) {
    return { type: 'retry', after: 1, why: (error as Error).message };
  }
}
