/** Counts what is under way, and tells when there is room for more, or nothing left. */
export interface Slots {
  readonly free: number;
  /** Resolves when a slot is free; it is not taken by that. */
  room(): Promise<void>;
  run(work: () => Promise<void>): void;
  /** Resolves when nothing is under way. */
  empty(): Promise<void>;
}

/** `most` at once. Work that rejects is reported to `onFault`, once, and is over. */
export function createSlots(most: number, onFault: (error: unknown) => void): Slots {
  const running = new Set<Promise<void>>();
  return {
    get free() {
      return most - running.size;
    },
    async room() {
      while (running.size >= most) await Promise.race(running);
    },
    run(work) {
      const run: Promise<void> = work()
        .catch(onFault)
        .finally(() => running.delete(run));
      running.add(run);
    },
    async empty() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
