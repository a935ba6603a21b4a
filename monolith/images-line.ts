import { Problem } from './errors.ts';
import { IMAGE_LIMITS, type ImageLimits } from './images-limits.ts';

/** Runs work when its turn has come. Rejects with BUSY when it can't come soon, or when `gone` fires while it waits. */
export type Line = <T>(work: () => Promise<T>, gone?: AbortSignal) => Promise<T>;

interface Waiting {
  readonly start: () => void;
  readonly leave: (problem: Problem) => void;
}

/**
 * Making a picture takes a core for as long as it lasts and its pixels in memory. So only so many are in work, a few more wait in line, and
 * everybody else hears at once that he should come back: a line that grows without end serves nobody.
 */
export function createLine({
  inWork,
  waiting,
  patience,
}: Pick<ImageLimits, 'inWork' | 'waiting' | 'patience'>): Line {
  let running = 0;
  const line = new Set<Waiting>();

  const turn = (gone: AbortSignal | undefined): Promise<void> => {
    if (running < inWork) {
      running += 1;
      return Promise.resolve();
    }
    if (line.size >= waiting) return Promise.reject(busy('too many pictures are being made'));
    return new Promise((resolve, reject) => {
      const away = (): void => me.leave(busy('the client went away'));
      const timer = setTimeout(() => me.leave(busy('the line did not move fast enough')), patience);
      const settle = (): void => {
        line.delete(me);
        clearTimeout(timer);
        gone?.removeEventListener('abort', away);
      };
      const me: Waiting = {
        start: () => {
          settle();
          resolve();
        },
        leave: (problem) => {
          settle();
          reject(problem);
        },
      };
      gone?.addEventListener('abort', away);
      line.add(me);
    });
  };

  return async (work, gone) => {
    // Nobody is there any more; a signal that fired before would never fire again.
    if (gone?.aborted) throw busy('the client went away');
    await turn(gone);
    try {
      return await work();
    } finally {
      // The place goes to the first in line; with nobody there it is given back.
      const [first] = line;
      if (first) first.start();
      else running -= 1;
    }
  };
}

/** The one line of this process: routes and seed share the same cores. */
export const processLine = createLine(IMAGE_LIMITS);

function busy(detail: string): Problem {
  return new Problem('BUSY', detail, 1);
}
