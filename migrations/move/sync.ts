import { apply, type Applied } from './apply.ts';
import { carryBlobs } from './carry.ts';
import type { MoveDescription } from './description.ts';
import { readPending, type Pending, type Scope } from './pending.ts';
import type { Side } from './side.ts';

export interface SyncOptions {
  /** Rows sent at once. Default 2,000, and 50 when each has a file. */
  readonly batch?: number;
  /** Milliseconds after which a parked row is tried again. Default 5,000. */
  readonly parkedFor?: number;
}

export interface Sent {
  readonly rows: number;
  readonly parked: number;
  /** Whether the batch was full, so that there may be more. */
  readonly isFull: boolean;
}

/** Errors of the target that are not about a row: they pass, or a person must see them at once. */
const NOT_OF_A_ROW = /^(08|40|53|55|57|58|XX|3F|42P01)/;

/**
 * Sends one batch of rows that the target may not have, and takes their mark away. Any number of processes may do so at once. Rows that the target
 * refuses are parked, the others go on.
 */
export async function syncOnce(
  description: MoveDescription,
  source: Side,
  target: Side,
  scope: Scope,
  { batch = source.blobs ? 50 : 2000, parkedFor = 5000 }: SyncOptions = {},
): Promise<Sent> {
  const pending = await readPending(description, source, scope, batch);
  if (pending.length === 0) return { rows: 0, parked: 0, isFull: false };
  const lost = pending.filter(({ deleted, row }) => !deleted && !row);
  const missing = await carryBlobs(description, source, target, pending);
  const sent = pending.filter((one) => !lost.includes(one) && !missing.has(one));
  const { settled, ahead, refused } = await applyEach(description, target, sent);
  await clear(description, source, settled);
  const reasons = new Map<Pending, string>([
    ...lost.map((one) => [one, 'the row is gone, but nothing marked it'] as const),
    ...ahead.map((one) => [one, 'the other side has another version: both sides used this key'] as const),
    ...missing,
    ...refused,
  ]);
  const parked = reasons.size === 0 ? 0 : await park(description, source, reasons, parkedFor);
  return { rows: settled.length, parked, isFull: pending.length === batch };
}

/** All at once; when the target refuses that, one by one, so that a row that can't be applied stops nobody else. */
async function applyEach(
  description: MoveDescription,
  target: Side,
  sent: readonly Pending[],
): Promise<Applied & { refused: readonly (readonly [Pending, string])[] }> {
  try {
    return { ...(await apply(description, target, sent)), refused: [] };
  } catch (error) {
    if (!isOfARow(error)) throw error;
    if (sent.length === 1) return { settled: [], ahead: [], refused: [[sent[0]!, (error as Error).message]] };
  }
  const results = [];
  for (const one of sent) results.push(await applyEach(description, target, [one]));
  return {
    settled: results.flatMap(({ settled }) => settled),
    ahead: results.flatMap(({ ahead }) => ahead),
    refused: results.flatMap(({ refused }) => refused),
  };
}

/** An error without an SQLSTATE is a lost connection, or comes from the mapping: then it has no `errno` and no `code`. */
function isOfARow(error: unknown): boolean {
  const { code, message } = error as { code?: string; message: string };
  if (code === undefined) return !/connection|timeout|terminated/i.test(message);
  return /^[0-9A-Z]{5}$/.test(code) && !NOT_OF_A_ROW.test(code);
}

/**
 * The mark goes only where the version is still the one that was sent. A row that somebody holds is left for the next time: we never wait while we
 * hold others, so we are part of no deadlock of an application.
 */
export async function clear(
  { name }: MoveDescription,
  source: Pick<Side, 'pool'>,
  settled: readonly Pending[],
): Promise<void> {
  if (settled.length === 0) return;
  await source.pool.query(
    `WITH sent AS (
       SELECT held.key FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS sent(key, epoch, n), LATERAL (
         SELECT s.key FROM strangler.${name}_row_state s
         WHERE s.key = sent.key AND (s.epoch, s.n) = (sent.epoch, sent.n) AND s.dirty FOR UPDATE SKIP LOCKED
       ) held
     ), cleared AS (
       UPDATE strangler.${name}_row_state s SET dirty = false, left_buckets = '{}' FROM sent WHERE s.key = sent.key RETURNING s.key
     )
     DELETE FROM strangler.${name}_parked p USING cleared WHERE p.key = cleared.key`,
    [settled.map(({ key }) => key), settled.map(({ epoch }) => epoch), settled.map(({ n }) => n)],
  );
}

/** Answers how many: one that was sent by somebody else meanwhile, or written anew, is not. */
async function park(
  { name }: MoveDescription,
  source: Side,
  reasons: ReadonlyMap<Pending, string>,
  parkedFor: number,
): Promise<number> {
  const rows = [...reasons.keys()];
  const { rowCount } = await source.pool.query(
    `INSERT INTO strangler.${name}_parked AS p (key, b, reason, retry_at)
     SELECT s.key, s.b, sent.reason, clock_timestamp() + $5 * interval '1 ms'
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) AS sent(key, epoch, n, reason)
     JOIN strangler.${name}_row_state s ON s.key = sent.key AND (s.epoch, s.n) = (sent.epoch, sent.n) AND s.dirty
     ORDER BY s.key
     ON CONFLICT (key) DO UPDATE SET b = excluded.b, reason = excluded.reason, retry_at = excluded.retry_at`,
    [
      rows.map(({ key }) => key),
      rows.map(({ epoch }) => epoch),
      rows.map(({ n }) => n),
      [...reasons.values()],
      parkedFor,
    ],
  );
  return rowCount ?? 0;
}
