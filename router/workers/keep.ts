import { setTimeout as wait } from 'node:timers/promises';

/** What of a process is needed to keep one running. */
interface Kept {
  /** Milliseconds since it was started. */
  age(): number;
  readonly ended: Promise<number | NodeJS.Signals>;
}

export interface KeepOptions<Of extends Kept> {
  /** Told of each end: the exit code or the signal. */
  readonly ended: (process: Of, how: number | NodeJS.Signals) => void;
  /** Nothing is started any more. */
  readonly isOver: () => boolean;
  readonly start: () => Of;
  /** Default: timers. */
  readonly pause?: (milliseconds: number) => Promise<unknown>;
}

/** A process that lived shorter than this (milliseconds) is not started again at once: its fault may be a lasting one. */
const STABLE = 5000;
/** The first pause of those that get longer, and the longest, in milliseconds. */
const PAUSE = 100;
const LONGEST_PAUSE = 2000;

/** Starts a process again whenever it ends. Resolves when it is over. */
export async function keepRunning<Of extends Kept>(first: Of, options: KeepOptions<Of>): Promise<void> {
  const { pause = wait } = options;
  let failures = 0;
  for (let process = first; ; process = options.start()) {
    options.ended(process, await process.ended);
    failures = process.age() > STABLE ? 0 : failures + 1;
    // The first accident costs no pause: requests wait for whoever takes its place.
    if (failures > 1 && !options.isOver()) await pause(Math.min(LONGEST_PAUSE, PAUSE * 2 ** (failures - 2)));
    if (options.isOver()) return;
  }
}
