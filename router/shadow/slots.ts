/** Places for what is under way at one time; who finds none waits for one, first come first served. */
export interface Slots {
  /** True with a place; false when there was none within `patience` milliseconds, or `signal` came first. */
  take(patience: number, signal: AbortSignal): Promise<boolean>;
  give(): void;
}

export function createSlots(limit: number): Slots {
  let used = 0;
  const waiting = new Set<(isTaken: boolean) => void>();
  return {
    async take(patience, signal) {
      if (signal.aborted) return false;
      if (used < limit) {
        used++;
        return true;
      }
      return await new Promise<boolean>((resolve) => {
        const done = (isTaken: boolean): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', give);
          waiting.delete(done);
          resolve(isTaken);
        };
        const give = (): void => done(false);
        const timer = setTimeout(give, patience).unref();
        signal.addEventListener('abort', give);
        waiting.add(done);
      });
    },
    give() {
      const [next] = waiting;
      if (next) next(true);
      else used--;
    },
  };
}
