import { Problem } from './problem.ts';

export interface BoundedOptions {
  /** Jobs in work at once. */
  readonly inWork: number;
  /** Jobs that may wait; a further one is refused at once. */
  readonly waiting: number;
  /** Milliseconds a job may wait. */
  readonly patience: number;
}

/**
 * Runs a job when there is room. `signal` takes one that nobody wants any more out of the line. Rejects with 503 and Retry-After when
 * there is none.
 */
export type Bounded = <T>(job: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

/** A bulkhead with a short line in front of it: work is refused early rather than piled up. */
export function createBounded({ inWork, waiting, patience }: BoundedOptions): Bounded {
  let running = 0;
  const line: (() => void)[] = [];

  const place = (signal: AbortSignal | undefined): Promise<void> =>
    new Promise((admit, refuse) => {
      const leave = (why: Problem): void => {
        const index = line.indexOf(enter);
        if (index === -1) return;
        line.splice(index, 1);
        settle();
        refuse(why);
      };
      const timer = setTimeout(() => leave(busy('the line did not move fast enough')), patience);
      const gone = (): void => leave(clientGone());
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', gone);
      };
      const enter = (): void => {
        settle();
        admit();
      };
      signal?.addEventListener('abort', gone, { once: true });
      line.push(enter);
    });

  return async (job, signal) => {
    // A signal that fired before would not fire again.
    if (signal?.aborted) throw clientGone();
    if (running < inWork) running += 1;
    else if (line.length >= waiting) throw busy('too many pictures are waiting to be made');
    // Whoever leaves hands its room over, so `running` stays as it is.
    else await place(signal);
    try {
      return await job();
    } finally {
      const next = line.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

function busy(detail: string): Problem {
  return new Problem(503, detail, { 'retry-after': '1' });
}

/** Answers nobody; it only ends the work. */
function clientGone(): Problem {
  return busy('the client went away');
}
