/** Runs work beside other work, or, when `isAlone`, with nothing else running. In the order of asking, so nobody waits for ever. */
export type Room = <T>(isAlone: boolean, work: () => Promise<T>) => Promise<T>;

interface Waiting {
  readonly isAlone: boolean;
  enter(): void;
}

/** One room. A job that is suspected of ending the process is handled alone in it: it takes no other with it. */
export function createRoom(): Room {
  let inside = 0;
  let isTaken = false;
  const line: Waiting[] = [];

  const admit = (): void => {
    for (let next = line[0]; next; next = line[0]) {
      if (isTaken || (next.isAlone && inside > 0)) return;
      line.shift();
      inside += 1;
      isTaken = next.isAlone;
      next.enter();
    }
  };
  return async (isAlone, work) => {
    await new Promise<void>((enter) => {
      line.push({ isAlone, enter });
      admit();
    });
    try {
      return await work();
    } finally {
      inside -= 1;
      isTaken = false;
      admit();
    }
  };
}
