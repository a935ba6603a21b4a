import { Problem } from './problem.ts';

/** A positive bigint, as the sequence makes them. */
export function isId(text: string): boolean {
  return /^[1-9][0-9]{0,18}$/.test(text) && BigInt(text) < 2n ** 63n;
}

/** 404, also for what can be no id. */
export function noImage(id: string): Problem {
  return new Problem(404, `there is no image ${id}`);
}

/** 404, also for what can be no id. */
export function noProduct(id: string): Problem {
  return new Problem(404, `there is no product ${id}`);
}
