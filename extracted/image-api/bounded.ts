import { Problem } from './problem.ts';

export interface BoundedOptions {
  /** Jobs in work at once. */
  readonly inWork: number;
  /** Jobs that may wait; a further one is refused at once. */
  readonly waiting: number;
  /** Milliseconds a job may wait. */
  readonly patience: number;
  /** Bytes that the jobs in work may need together, as they estimate it; one alone may need twice as much. Default 112 MiB. */
  readonly memory?: number;
}

export interface JobOptions {
  /** Takes a job that nobody wants any more out of the line. */
  readonly signal?: AbortSignal | undefined;
  /** Bytes the job needs, estimated (see weight.ts). Default 0. */
  readonly bytes?: number | undefined;
}

/**
 * Runs a job when there is room for it. Rejects with 503 and Retry-After when there is none, and with 413 when the job needs more memory than any may have.
 */
export interface Bounded {
  <T>(job: () => Promise<T>, options?: JobOptions): Promise<T>;
  /** As it is now. */
  readonly load: () => { readonly inWork: number; readonly waiting: number; readonly bytes: number };
}

interface Place {
  readonly bytes: number;
  readonly enter: () => void;
}

/**
 * A bulkhead with a short line in front of it: work is refused early rather than piled up. The line is first come, first served also where a later job
 * would fit and the first does not: else small pictures would keep a large one waiting for ever.
 */
export function createBounded({
  inWork,
  waiting,
  patience,
  memory = 112 * 2 ** 20,
}: BoundedOptions): Bounded {
  const largest = 2 * memory;
  let running = 0;
  let used = 0;
  const line: Place[] = [];
  const fits = (bytes: number): boolean => running < inWork && (running === 0 || used + bytes <= memory);
  const take = (bytes: number): void => {
    running += 1;
    used += bytes;
  };
  const admit = (): void => {
    while (line[0] && fits(line[0].bytes)) {
      const next = line.shift()!;
      // Taken here and not when it wakes up: until then somebody else would find the same room.
      take(next.bytes);
      next.enter();
    }
  };

  const place = (bytes: number, signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const leave = (why: Problem): void => {
        const index = line.indexOf(own);
        if (index === -1) return;
        line.splice(index, 1);
        settle();
        reject(why);
        // Perhaps it was the one that did not fit.
        admit();
      };
      const timer = setTimeout(() => leave(busy('the line did not move fast enough')), patience);
      const gone = (): void => leave(clientGone());
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', gone);
      };
      const enter = (): void => {
        settle();
        resolve();
      };
      const own = { bytes, enter };
      signal?.addEventListener('abort', gone, { once: true });
      line.push(own);
    });

  const bounded = async <T>(job: () => Promise<T>, { signal, bytes = 0 }: JobOptions = {}): Promise<T> => {
    // A signal that fired before would not fire again.
    if (signal?.aborted) throw clientGone();
    if (bytes > largest)
      throw new Problem(
        413,
        `this picture would take ${inMiB(bytes)} MiB of memory to make; ${inMiB(largest)} MiB is the most`,
      );
    if (line.length === 0 && fits(bytes)) take(bytes);
    else if (line.length >= waiting) throw busy('too many pictures are waiting to be made');
    else await place(bytes, signal);
    try {
      return await job();
    } finally {
      running -= 1;
      used -= bytes;
      admit();
    }
  };
  return Object.assign(bounded, {
    load: () => ({ inWork: running, waiting: line.length, bytes: used }),
  });
}

const inMiB = (bytes: number): number => Math.ceil(bytes / 2 ** 20);

function busy(detail: string): Problem {
  return new Problem(503, detail, { 'retry-after': '1' });
}

/** Answers nobody; it only ends the work. */
function clientGone(): Problem {
  return busy('the client went away');
}
