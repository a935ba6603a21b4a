import { BUCKETS } from './bucket.ts';
import type { MoveDescription } from './description.ts';
import { readHomes } from './homes.ts';
import { readParked, type Parked } from './parked.ts';
import { readRecord } from './record.ts';
import type { Phase } from './phase.ts';
import type { Move, Side } from './side.ts';

export interface Progress {
  readonly name: string;
  readonly sides: MoveDescription['sides'];
  readonly phase: Phase;
  /** Wanted share of the buckets at the new side, and those that are there. */
  readonly percent: number;
  readonly buckets: {
    readonly all: number;
    readonly atOld: number;
    readonly atNew: number;
    readonly moving: number;
  };
  /** Rows the databases estimate in the old table; of these, backfilled so far is all that has a state. */
  readonly rows: { readonly all: number; readonly known: number };
  /** Per direction, named by where the rows come from: rows waiting, and the age of the oldest live one in milliseconds. */
  readonly waiting: Readonly<
    Record<string, { readonly rows: number; readonly lag: number; readonly parked: number }>
  >;
  /** The rows that have been parked for longest, a hundred at most. */
  readonly parked: readonly Parked[];
  /** Milliseconds since the last verification that found nothing; null when there was none. */
  readonly verifiedAgo: number | null;
  readonly corrupt: string | null;
}

/** Rows of state that are always counted; of more, once they are backfilled, what the database estimates is told: counting them each second would cost more than the move. */
const EXACT = 100_000;
/** Parked rows that are told one by one. */
const TOLD = 100;

/** Rows waiting to be sent, counted up to a limit. */
export async function countBacklog(
  { name }: MoveDescription,
  { pool }: Side,
  limit: number,
): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM (SELECT FROM strangler.${name}_row_state WHERE dirty LIMIT ${limit}) pending`,
  );
  return rows[0]!.count;
}

/** What a move has done so far. */
export async function readProgress(move: Move): Promise<Progress> {
  const { description, from, to } = move;
  const { phase, percent, verifiedAgo, corrupt } = await readRecord(move);
  const { atNew, moving } = await readHomes(move, percent);
  const waiting = await Promise.all(
    [from, to].map(async (side) => [side.name, await waitingAt(description, side)] as const),
  );
  const { rows } = await from.pool.query<{ all: number; known: number }>(
    `SELECT greatest((SELECT reltuples FROM pg_class WHERE oid = $1::regclass), 0)::float8 AS all,
            CASE WHEN $2 OR estimate < ${EXACT} THEN (SELECT count(*) FROM strangler.${description.name}_row_state WHERE NOT deleted)
                 ELSE estimate END::float8 AS known
     FROM pg_stat_get_live_tuples('strangler.${description.name}_row_state'::regclass) AS estimate`,
    [from.table, phase === 'backfill'],
  );
  return {
    name: description.name,
    sides: { from: from.name, to: to.name },
    phase,
    percent,
    buckets: { all: BUCKETS, atOld: Math.max(0, BUCKETS - atNew - moving), atNew, moving },
    rows: { all: Math.max(rows[0]!.all, rows[0]!.known), known: rows[0]!.known },
    waiting: Object.fromEntries(waiting),
    parked: waiting.some(([, { parked }]) => parked > 0) ? await readParked(move, TOLD) : [],
    verifiedAgo,
    corrupt,
  };
}

async function waitingAt(
  { name }: MoveDescription,
  { pool }: Side,
): Promise<{ rows: number; lag: number; parked: number }> {
  const { rows } = await pool.query<{ rows: number; lag: number; parked: number }>(
    `SELECT count(*)::float8 AS rows,
            coalesce(extract(epoch FROM clock_timestamp()) * 1000 - min(seq) FILTER (WHERE seq < 1::bigint << 62) / 1000.0, 0)::float8 AS lag,
            (SELECT count(*) FROM strangler.${name}_parked JOIN strangler.${name}_row_state USING (key) WHERE dirty)::float8 AS parked
     FROM strangler.${name}_row_state WHERE dirty`,
  );
  return rows[0]!;
}

/** Rows a second and seconds left, from two looks at the same backfill. */
export function pace(
  before: Progress,
  after: Progress,
  seconds: number,
): { readonly rowsPerSecond: number; readonly secondsLeft: number | null } {
  const arrived = ({ rows, waiting }: Progress): number => rows.known - Object.values(waiting)[0]!.rows;
  const rowsPerSecond = seconds > 0 ? (arrived(after) - arrived(before)) / seconds : 0;
  const left = after.rows.all - arrived(after);
  return { rowsPerSecond, secondsLeft: left <= 0 ? 0 : rowsPerSecond > 0 ? left / rowsPerSecond : null };
}
