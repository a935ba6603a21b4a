import type pg from 'pg';
import type { Course } from './course.ts';
import type { Ledger } from './ledger.ts';

export interface Outcome {
  readonly acked: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly differing: number;
  readonly dualHome: number;
  readonly kills: number;
  /** Whom they hit. */
  readonly killed: Readonly<Record<'runners' | 'router' | 'old' | 'young', number>>;
  /** Of the acknowledged writes: those through the router. */
  readonly routed: number;
  /** Changes of a bucket's home: without them nothing was proved. */
  readonly handovers: number;
  readonly course: readonly Course[];
  /** What the verification and the clients saw, for people. */
  readonly notes: readonly string[];
}

/** What the last line leaves out. */
export const details = ({ killed, routed, handovers, course }: Outcome): readonly string[] => [
  `${handovers} handovers of the buckets that are written; ${routed} operations went through the router`,
  ...course.map(
    ({ what, arrived }) => `${what}: ${arrived ? 'all homes were there' : 'not all homes came in time'}`,
  ),
  `killed: ${killed.runners} runners of sync and handovers, the router ${killed.router} times, the old Postgres ${killed.old}, the new one ${killed.young}`,
];

/** One line, the last of a proof. */
export const summary = ({ acked, lost, duplicated, differing, dualHome, kills }: Outcome): string =>
  `acked ${acked} lost ${lost} duplicated ${duplicated} differing ${differing} dualHome ${dualHome} kills ${kills}`;

export const isClean = ({ lost, duplicated, differing, dualHome }: Outcome): boolean =>
  lost + duplicated + differing + dualHome === 0;

/** Compares what clients were told with what both sides have. An append is in one row, or in one deleted row, once. */
export async function count(
  pools: readonly pg.Pool[],
  { acked, maybe, maybeGone, gone }: Ledger,
): Promise<Pick<Outcome, 'acked' | 'lost' | 'duplicated' | 'differing'>> {
  const [old, young] = await Promise.all(
    pools.map(async (pool) => {
      const { rows } = await pool.query<{ id: string; n: string; list: string[]; text: string }>(
        'SELECT id, n, list, t::text AS text FROM things t ORDER BY id',
      );
      return new Map(rows.map((row) => [row.id, row]));
    }),
  );
  const seen = new Map<string, number>();
  const see = (op: string): void => void seen.set(op, (seen.get(op) ?? 0) + 1);
  gone.forEach(see);
  let duplicated = 0;
  let differing = 0;
  for (const { list, n } of old!.values()) {
    list.forEach(see);
    if (Number(n) !== list.length) duplicated += 1;
  }
  for (const id of new Set([...old!.keys(), ...young!.keys()]))
    if (old!.get(id)?.text !== young!.get(id)?.text) differing += 1;
  const lost = [...acked].filter((op) => !seen.has(op) && !maybeGone.has(op)).length;
  for (const [op, times] of seen) if (times > 1 || !(acked.has(op) || maybe.has(op))) duplicated += 1;
  return { acked: acked.size, lost, duplicated, differing };
}
