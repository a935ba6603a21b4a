import type pg from 'pg';
import { commit, decision, finalise, giveUp, tell } from './decide.ts';
import { lockClass } from './objects.ts';
import { dirtySql } from './pending.ts';
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
  const epoch = await fence(move, b, source, target, options);
  if (epoch !== undefined && (await drive(move, b, source, target, epoch, options))) return;
  // Another process has driven it on, or was first to fence it.
  await settle(move, b, options);
  const { home } = await decision(move, b, target);
  if (home !== target.name)
    throw new Refused(`bucket ${b} stays at ${home}: another process gave the handover up`);
}

export const otherSide = ({ from, to }: Move, side: Side): Side => (side === from ? to : from);

/** Drives on what is under way of a bucket, by whomever it was begun. */
export async function settle(move: Move, b: number, options: HandoverOptions = {}): Promise<void> {
  const sides = [move.from, move.to];
  const epochs = await Promise.all(sides.map((source) => movingEpoch(move, b, source)));
  for (const [index, source] of sides.entries())
    if (epochs[index] !== undefined)
      await drive(move, b, source, otherSide(move, source), epochs[index], options);
}

/**
 * The steps after the fence. Answers whether it was this process that decided for the target; nothing more is to be found out then. Rejects when the
 * handover was given up.
 */
async function drive(
  move: Move,
  b: number,
  source: Side,
  target: Side,
  epoch: string,
  options: HandoverOptions,
): Promise<boolean> {
  const failure = await drain(move, b, source, target, epoch, options).catch((error: Error) => error);
  if (failure) await giveUp(move, b, source, target, epoch);
  else if (await commit(move, b, target, epoch)) {
    await tell(move, b, source, { home: target.name, epoch }, epoch);
    return true;
  }
  await finalise(move, b, source, target, epoch);
  if (failure && (await decision(move, b, target)).home === source.name) throw failure;
  return false;
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

/** Refuses, or lets the open writers of the bucket end and no new one begin. Answers the new epoch; undefined when the source is not the home, or fenced already. */
export async function fence(
  { description: { name }, from }: Move,
  b: number,
  source: Side,
  target: Side,
  { lockTimeout = 100, tries = 20, verifiedFor = 3_600_000 }: HandoverOptions = {},
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const work = async (client: pg.PoolClient): Promise<string | undefined> => {
        // One statement after the locks, as all others wait meanwhile; why it found nothing to do is asked afterwards.
        const { rows } = await client.query<{ epoch: string }>(
          `UPDATE strangler.${name}_bucket bucket SET home = $5, epoch = bucket.epoch + 1, moving = true
           FROM (${PRECONDITIONS.replaceAll('{{move}}', name)}) found
           WHERE bucket.b = $2 AND bucket.home = $6 AND NOT bucket.moving AND found.phase NOT IN ('complete', 'cancelled') AND found.backfilled
             AND found.corrupt IS NULL AND found.parked = 0 AND (found.verified OR NOT $4) RETURNING bucket.epoch`,
          [name, b, verifiedFor, source === from, target.name, source.name],
        );
        return rows[0]?.epoch;
      };
      // Also against the end of the move, which locks this table before it looks at the homes.
      const locks = `LOCK TABLE strangler.${name}_bucket IN ROW EXCLUSIVE MODE; SELECT pg_advisory_xact_lock(${lockClass(name)}, ${b})`;
      const epoch = await transaction(source, lockTimeout, work, locks);
      if (epoch !== undefined) return epoch;
      const { rows } = await source.pool.query<Preconditions>(PRECONDITIONS.replaceAll('{{move}}', name), [
        name,
        b,
        verifiedFor,
        source === from,
      ]);
      const found = rows[0]!;
      if (found.home !== source.name || found.moving) return undefined;
      const reason = refusal(found, source === from);
      if (reason) throw new Refused(`bucket ${b} stays at ${source.name}: ${reason}`);
      // It holds by now.
    } catch (error) {
      // Somebody holds the bucket. Those who waited behind us go first, then we ask again.
      if ((error as { code?: string }).code !== '55P03') throw error;
      if (attempt >= tries)
        throw new Refused(`bucket ${b} stays at ${source.name}: a transaction that writes it does not end`, {
          cause: error,
        });
    }
    if (attempt >= tries)
      throw new Refused(`bucket ${b} stays at ${source.name}: what it depends on changes all the time`);
  }
}

/** What the fence asks at the old home: $1 the move, $2 the bucket, $3 milliseconds a verification is good for, $4 whether it goes forward. */
const PRECONDITIONS = `
  SELECT bucket.home, bucket.moving, move.phase, move.backfilled_at IS NOT NULL AS backfilled, move.corrupt,
         coalesce(move.verified_at > clock_timestamp() - $3 * interval '1 ms', false) AS verified,
         (SELECT count(*)::int FROM strangler.{{move}}_parked p JOIN strangler.{{move}}_row_state s USING (key) WHERE s.dirty AND ($4 OR s.b = $2)) AS parked
  FROM strangler.move, strangler.{{move}}_bucket bucket WHERE move.name = $1 AND bucket.b = $2`;

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
      `SELECT EXISTS (${dirtySql(description.name, { bucket: b })}) AS dirty,
         (SELECT min(p.reason) FROM strangler.${description.name}_parked p JOIN (${dirtySql(description.name, { bucket: b })}) s USING (key)) AS parked,
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
