import { Problem } from './problem.ts';
import type { Wish } from './wish.ts';

/** Throws 400 for a width or height that is not among those allowed. */
export type AllowSize = (wish: Pick<Wish, 'width' | 'height'>) => void;

/** `sizes`: the widths and heights that may be asked for, in pixels; null: all of them. */
export function allowSizes(sizes: readonly number[] | null): AllowSize {
  if (sizes === null) return () => undefined;
  const allowed = new Set(sizes);
  return ({ width, height }) => {
    for (const [name, side] of [
      ['w', width],
      ['h', height],
    ] as const)
      if (side !== undefined && !allowed.has(side))
        throw new Problem(400, `${name} is one of ${[...allowed].join(', ')} here`);
  };
}
