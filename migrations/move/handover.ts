import { lockClass } from './objects.ts';
import { transaction, type Move, type Side } from './side.ts';
import { syncOnce, type SyncOptions } from './sync.ts';

/*
 * How a bucket changes its home. Both databases have a row of it; four steps, each one transaction in one database, each harmless when it is done again:
 *
 *   fence     old home   home = new, epoch = E, moving       nobody may write now
 *   drain                what is dirty at the old home is sent
 *   commit    new home   home = new, epoch = E               the new home may write
 *   finalise  old home   moving = false
 *
 * Until the commit a handover can be given up, and only the new home's row decides which of the two it is: to give up, that row is first
 * set to (old, E + 1), after which the commit of epoch E finds nothing to change; only then may the old home write again. So any process can go on with
 * a handover, or give it up, from the rows alone, also while another does the same.
 */

export interface HandoverOptions extends SyncOptions {
  /** Milliseconds the fence waits for open transactions, while new writers of the bucket wait behind it. Default 100. */
  readonly lockTimeout?: number;
  /** Tries for the fence. Default 20. */
  readonly tries?: number;
  /** Milliseconds the drain may take before the handover is given up. Default 5,000. */
  readonly drainDeadline?: number;
  /** Milliseconds a verification is good for. Default an hour. */
  readonly verifiedFor?: number;
}

/** Why a bucket stays where it is: a sentence for a person. */
export class Refused extends Error {}

/**
 * Makes `target` the home of a bucket; does nothing when it is. Resolves when the new home may write and the old one knows it. Rejects with `Refused` when a
 * precondition does not hold, or when the handover was given up; the bucket is then at its old home.
 */
export async function handOver(
  move: Move,
  b: number,
  target: Side,
  options: HandoverOptions = {},
): Promise<void> {
  const source = otherSide(move, target);
  await settle(move, b, options);
  await fence(move, b, source, target, options);
  await settle(move, b, options);
  const { home } = await decision(move, b, target);
  if (home !== target.name)
    throw new Refused(`bucket ${b} stays at ${home}: another process gave the handover up`);
}

export const otherSide = ({ from, to }: Move, side: Side): Side => (side === from ? to : from);

/** Drives on what is under way of a bucket, by whomever it was begun. */
export async function settle(move: Move, b: number, options: HandoverOptions = {}): Promise<void> {
  for (const source of [move.from, move.to]) {
    const target = otherSide(move, source);
    const epoch = await movingEpoch(move, b, source);
    if (epoch === undefined) continue;
    const failure = await drain(move, b, source, target, epoch, options).catch((error: Error) => error);
    if (failure) await giveUp(move, b, source, target, epoch);
    else await commit(move, b, target, epoch);
    await finalise(move, b, source, target, epoch);
    if (failure && (await decision(move, b, target)).home === source.name) throw failure;
  }
}

/** Buckets that are under way. */
export async function unsettled({ description, from, to }: Move): Promise<number[]> {
  const both = await Promise.all(
    [from, to].map(({ pool }) =>
      pool.query<{ b: number }>(`SELECT b FROM strangler.${description.name}_bucket WHERE moving`),
    ),
  );
  return [...new Set(both.flatMap(({ rows }) => rows.map(({ b }) => b)))];
}

/** Refuses, or lets the open writers of the bucket end and no new one begin. Answers false when the target is the home already. */
export async function fence(
  { description: { name }, from }: Move,
  b: number,
  source: Side,
  target: Side,
  { lockTimeout = 100, tries = 20, verifiedFor = 3_600_000 }: HandoverOptions = {},
): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transaction(source, lockTimeout, async (client) => {
        // Also against the end of the move, which locks this table before it looks at the homes.
        await client.query(
          `LOCK TABLE strangler.${name}_bucket IN ROW EXCLUSIVE MODE; SELECT pg_advisory_xact_lock(${lockClass(name)}, ${b})`,
        );
        const { rows } = await client.query<Preconditions>(
          `SELECT bucket.home, bucket.moving, move.phase, move.backfilled_at IS NOT NULL AS backfilled, move.corrupt,
                  coalesce(move.verified_at > clock_timestamp() - $3 * interval '1 ms', false) AS verified,
                  (SELECT count(*)::int FROM strangler.${name}_parked p JOIN strangler.${name}_row_state s USING (key) WHERE s.dirty AND ($4 OR s.b = $2)) AS parked
           FROM strangler.move, strangler.${name}_bucket bucket WHERE move.name = $1 AND bucket.b = $2`,
          [name, b, verifiedFor, source === from],
        );
        const found = rows[0]!;
        if (found.home !== source.name || found.moving) return false;
        const reason = refusal(found, source === from);
        if (reason) throw new Refused(`bucket ${b} stays at ${source.name}: ${reason}`);
        await client.query(
          `UPDATE strangler.${name}_bucket SET home = $2, epoch = epoch + 1, moving = true WHERE b = $1`,
          [b, target.name],
        );
        return true;
      });
    } catch (error) {
      // Somebody holds the bucket. Those who waited behind us go first, then we ask again.
      if ((error as { code?: string }).code !== '55P03') throw error;
      if (attempt >= tries)
        throw new Refused(`bucket ${b} stays at ${source.name}: a transaction that writes it does not end`, {
          cause: error,
        });
    }
  }
}

interface Preconditions {
  readonly home: string;
  readonly moving: boolean;
  readonly phase: string;
  readonly backfilled: boolean;
  readonly verified: boolean;
  readonly corrupt: string | null;
  readonly parked: number;
}

/** The way back asks for no fresh verification, and parked rows of other buckets don't hinder it: it has to be open when something does not work. */
function refusal(
  { phase, backfilled, verified, corrupt, parked }: Preconditions,
  isForward: boolean,
): string | undefined {
  if (phase === 'complete' || phase === 'cancelled') return `the move is ${phase}`;
  if (corrupt) return `the sides differ: ${corrupt}`;
  if (!backfilled) return 'not all rows are copied yet';
  if (parked > 0) return `${parked} rows could not be applied`;
  if (isForward && !verified) return 'it was not verified lately';
  return undefined;
}

/** The epoch of a handover that was fenced at this side and is not finished; undefined when there is none. */
async function movingEpoch(
  { description: { name } }: Move,
  b: number,
  source: Side,
): Promise<string | undefined> {
  const { rows } = await source.pool.query<{ epoch: string }>(
    `SELECT epoch FROM strangler.${name}_bucket WHERE b = $1 AND moving`,
    [b],
  );
  return rows[0]?.epoch;
}

/** Sends what is dirty of a fenced bucket. Answers why it could not, or undefined. */
export async function drain(
  { description }: Move,
  b: number,
  source: Side,
  target: Side,
  epoch: string,
  options: HandoverOptions = {},
): Promise<Error | undefined> {
  const deadline = Date.now() + (options.drainDeadline ?? 5000);
  for (;;) {
    // In this order: what is no longer dirty when we look was sent, and nothing becomes dirty under the fence.
    const { rows } = await source.pool.query<{ dirty: boolean; parked: string | null; fenced: boolean }>(
      `SELECT EXISTS (SELECT FROM strangler.${description.name}_row_state s WHERE s.dirty AND s.b = $1)
           OR EXISTS (SELECT FROM strangler.${description.name}_row_state s WHERE s.dirty AND s.left_buckets @> ARRAY[$1::int]) AS dirty,
         (SELECT min(p.reason) FROM strangler.${description.name}_parked p JOIN strangler.${description.name}_row_state s USING (key)
          WHERE s.dirty AND (s.b = $1 OR s.left_buckets @> ARRAY[$1::int])) AS parked,
         EXISTS (SELECT FROM strangler.${description.name}_bucket WHERE b = $1 AND epoch = $2 AND moving) AS fenced`,
      [b, epoch],
    );
    const { dirty, parked, fenced } = rows[0]!;
    if (!dirty || !fenced) return undefined;
    if (parked !== null)
      return new Refused(`bucket ${b} stays at ${source.name}: a row could not be applied: ${parked}`);
    if (Date.now() > deadline)
      return new Refused(`bucket ${b} stays at ${source.name}: its rows could not be sent in time`);
    await syncOnce(description, source, target, { bucket: b }, options);
  }
}

/** The commit point: from here the target may write. Nothing happens when this epoch, or a later one, has been decided. */
export async function commit(
  { description: { name } }: Move,
  b: number,
  target: Side,
  epoch: string,
): Promise<void> {
  await target.pool.query(
    `UPDATE strangler.${name}_bucket SET home = $2, epoch = $3, moving = false WHERE b = $1 AND epoch < $3`,
    [b, target.name, epoch],
  );
}

/** The other way to decide an epoch: nobody can commit it any more. */
async function giveUp(
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

async function decision(
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
  await source.pool.query(
    `UPDATE strangler.${move.description.name}_bucket SET home = $2, epoch = $3, moving = false WHERE b = $1 AND moving AND epoch = $4`,
    [b, decided.moving ? target.name : decided.home, decided.moving ? epoch : decided.epoch, epoch],
  );
}
