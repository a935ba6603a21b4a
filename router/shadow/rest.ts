/** Bad answers in a row before a route is left alone for a while. */
const BAD = 5;
/** How long it is left alone, in milliseconds. */
const REST = 1000;

/**
 * When the shadow of a route is left alone: after answers in a row that came to nothing, or that are too long
 * where the primary's are not. Each of them costs the loop that serves something, so what is broken is only asked now and then.
 */
export interface Rest {
  isResting(now: number): boolean;
  note(isGood: boolean, now: number): void;
}

export function createRest(): Rest {
  let bad = 0;
  let until = 0;
  return {
    isResting: (now) => now < until,
    note(isGood, now) {
      bad = isGood ? 0 : bad + 1;
      // After the rest one bad answer is enough for the next.
      if (bad >= BAD) until = now + REST;
    },
  };
}
