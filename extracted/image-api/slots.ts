/**
 * Bytes of a slot. Each costs two messages between the threads: with half of it an upload of 5 MB takes up to a tenth longer. With twice as much the other
 * thread begins later, and ends later: one alone takes a twentieth longer.
 */
export const SLOT = 524_288;
/** Files at once that have such slots; more have small ones, so that many uploads at once do not take much more memory. */
const LARGE_ONES = 4;
const SMALL_SLOT = 262_144;
/** Pairs of each size that are kept for the next files: fresh memory costs more than the copy into it. */
const SPARE = 8;

/** Memory in which a file's bytes go from one thread to another: two slots, of which one is filled while the other one is written. */
export interface Slots {
  take(): SharedArrayBuffer;
  /** `isIdle`: nobody is at work in it any more, so that it may be another's. */
  giveBack(memory: SharedArrayBuffer, isIdle: boolean): void;
}

export function createSlots(): Slots {
  const spares = new Map<number, SharedArrayBuffer[]>([SLOT, SMALL_SLOT].map((size) => [2 * size, []]));
  let inUse = 0;
  return {
    take() {
      const length = 2 * (inUse < LARGE_ONES ? SLOT : SMALL_SLOT);
      inUse += 1;
      return spares.get(length)!.pop() ?? new SharedArrayBuffer(length);
    },
    giveBack(memory, isIdle) {
      inUse -= 1;
      const spare = spares.get(memory.byteLength)!;
      if (isIdle && spare.length < SPARE) spare.push(memory);
    },
  };
}
