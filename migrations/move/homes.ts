import { BUCKETS } from './bucket.ts';
import type { Move } from './side.ts';

/** Buckets whose home is to be the new side at a share. Raising it only adds buckets, lowering it only takes some away. */
export const wantedAtNew = (percent: number): number => Math.round((BUCKETS * percent) / 100);

export interface Homes {
  /** Buckets both sides agree the new side is the home of. */
  readonly atNew: number;
  readonly moving: number;
  /** Buckets that are not where the share wants them, `toNew` or back. */
  readonly misplaced: readonly { readonly b: number; readonly toNew: boolean }[];
}

export async function readHomes({ description: { name }, from, to }: Move, percent: number): Promise<Homes> {
  const [old, young] = await Promise.all(
    [from, to].map(async ({ pool }) => {
      const { rows } = await pool.query<{ b: number; home: string; moving: boolean }>(
        `SELECT b, home, moving FROM strangler.${name}_bucket ORDER BY b`,
      );
      return rows;
    }),
  );
  const wanted = wantedAtNew(percent);
  const misplaced = old!.flatMap(({ b, home, moving }, index) => {
    const toNew = b < wanted;
    const isThere =
      [home, young![index]!.home].every((at) => at === (toNew ? to.name : from.name)) && !moving;
    return isThere && !young![index]!.moving ? [] : [{ b, toNew }];
  });
  return {
    atNew: old!.filter(
      ({ home, moving }, index) => home === to.name && !moving && young![index]!.home === to.name,
    ).length,
    moving: old!.filter(({ moving }, index) => moving || young![index]!.moving).length,
    misplaced,
  };
}
