import { nextPhase, type Phase, type PhaseEvent } from './phase.ts';
import type { Move } from './side.ts';

/** The row of the move in the database it starts from: the truth about its phase. */
export interface MoveRecord {
  readonly phase: Phase;
  /** Share of the buckets that is to be at the new side. */
  readonly percent: number;
  readonly isBackfilled: boolean;
  /** Milliseconds since the last verification that found nothing; null when there was none. */
  readonly verifiedAgo: number | null;
  readonly corrupt: string | null;
}

/** The move has not started, or was cancelled. */
export class NotStarted extends Error {}

/** Throws `NotStarted`. */
export async function readRecord({ description: { name }, from, to }: Move): Promise<MoveRecord> {
  const missing = new NotStarted(`the move ${name} has not started: strangler move start ${name}`);
  const { rows } = await from.pool
    .query<MoveRecord & { startsAt: string }>(
      `SELECT phase, percent, starts_at AS "startsAt", backfilled_at IS NOT NULL AS "isBackfilled", corrupt,
              (extract(epoch FROM clock_timestamp() - verified_at) * 1000)::float8 AS "verifiedAgo"
       FROM strangler.move WHERE name = $1`,
      [name],
    )
    .catch((error: Error & { code?: string }) => {
      throw error.code === '42P01' ? missing : error;
    });
  if (!rows[0]) throw missing;
  if (rows[0].phase === 'contracted') {
    const isHere = rows[0].startsAt === to.name;
    throw new NotStarted(
      `the move ${name} is over, and the rows are at ${isHere ? from.name : to.name}; the other way: strangler move start ${name}${isHere ? '' : ' --swapped'}`,
    );
  }
  return rows[0];
}

/** Changes the phase as the table says; answers the new one, or undefined when the phase there now has no such event. */
export async function advance(move: Move, event: PhaseEvent): Promise<Phase | undefined> {
  const { phase } = await readRecord(move);
  const next = nextPhase(phase, event);
  if (!next) return undefined;
  const { rowCount } = await move.from.pool.query(
    'UPDATE strangler.move SET phase = $3 WHERE name = $1 AND phase = $2',
    [move.description.name, phase, next],
  );
  // Somebody else changed it in between.
  if (rowCount === 0) return undefined;
  await move.to.pool.query('UPDATE strangler.move SET phase = $2 WHERE name = $1', [
    move.description.name,
    next,
  ]);
  return next;
}

/** Says which share of the buckets is to be at the new side; the runners bring it about. */
export async function wantPercent({ description: { name }, from }: Move, percent: number): Promise<void> {
  await from.pool.query('UPDATE strangler.move SET percent = $2 WHERE name = $1', [name, percent]);
}

/**
 * Takes away what a verification found, in both databases: a person has acted. Answers what it was; null when nothing was recorded. No bucket changes its home
 * before the next verification has come out clean.
 */
export async function clearCorrupt({ description: { name }, from, to }: Move): Promise<string | null> {
  let said: string | null = null;
  for (const { pool } of [to, from]) {
    const { rows } = await pool.query<{ corrupt: string }>(
      `UPDATE strangler.move m SET corrupt = NULL, verified_at = NULL
       FROM (SELECT name, corrupt FROM strangler.move WHERE name = $1 FOR UPDATE) before
       WHERE m.name = before.name AND before.corrupt IS NOT NULL RETURNING before.corrupt`,
      [name],
    );
    said = rows[0]?.corrupt ?? said;
  }
  return said;
}
