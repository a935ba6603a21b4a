import type { Move, Side } from './side.ts';

/* Where a handover is decided, at the new home's row, and how the old home hears of it; see handover.ts. */

/** The commit point: from here the target may write. Answers false, and nothing happens, when this epoch, or a later one, has been decided. */
export async function commit(
  { description: { name } }: Move,
  b: number,
  target: Side,
  epoch: string,
): Promise<boolean> {
  const { rowCount } = await target.pool.query(
    `UPDATE strangler.${name}_bucket SET home = $2, epoch = $3, moving = false WHERE b = $1 AND epoch < $3`,
    [b, target.name, epoch],
  );
  return rowCount === 1;
}

/** The other way to decide an epoch: nobody can commit it any more. */
export async function giveUp(
  { description: { name } }: Move,
  b: number,
  source: Side,
  target: Side,
  epoch: string,
): Promise<void> {
  await target.pool.query(
    `UPDATE strangler.${name}_bucket SET home = $2, epoch = $3::bigint + 1, moving = false WHERE b = $1 AND epoch < $3::bigint`,
    [b, source.name, epoch],
  );
}

/** What the new home's row says now. */
export async function decision(
  { description: { name } }: Move,
  b: number,
  target: Side,
): Promise<{ home: string; epoch: string; moving: boolean }> {
  const { rows } = await target.pool.query<{ home: string; epoch: string; moving: boolean }>(
    `SELECT home, epoch, moving FROM strangler.${name}_bucket WHERE b = $1`,
    [b],
  );
  return rows[0]!;
}

/**
 * Tells the old home what the new one's row says of this epoch; while it says nothing, nothing is told. A new home that is fenced for the way back names
 * the other side without having decided for it: that it could be fenced shows that it had become the home.
 */
export async function finalise(
  move: Move,
  b: number,
  source: Side,
  target: Side,
  epoch: string,
): Promise<void> {
  const decided = await decision(move, b, target);
  if (BigInt(decided.epoch) < BigInt(epoch)) return;
  await tell(move, b, source, decided.moving ? { home: target.name, epoch } : decided, epoch);
}

/** Nothing happens when the old home is no longer fenced in this epoch. */
export async function tell(
  { description: { name } }: Move,
  b: number,
  source: Side,
  decided: { readonly home: string; readonly epoch: string },
  epoch: string,
): Promise<void> {
  await source.pool.query(
    `UPDATE strangler.${name}_bucket SET home = $2, epoch = $3, moving = false WHERE b = $1 AND moving AND epoch = $4`,
    [b, decided.home, decided.epoch, epoch],
  );
}
