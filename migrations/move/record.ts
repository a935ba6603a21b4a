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
export async function readRecord({ description: { name }, from }: Move): Promise<MoveRecord> {
  const missing = new NotStarted(`the move ${name} has not started: strangler move start ${name}`);
  const { rows } = await from.pool
    .query<MoveRecord>(
      `SELECT phase, percent, backfilled_at IS NOT NULL AS "isBackfilled", corrupt,
              (extract(epoch FROM clock_timestamp() - verified_at) * 1000)::float8 AS "verifiedAgo"
       FROM strangler.move WHERE name = $1`,
      [name],
    )
    .catch((error: Error & { code?: string }) => {
      throw error.code === '42P01' ? missing : error;
    });
  if (!rows[0]) throw missing;
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
