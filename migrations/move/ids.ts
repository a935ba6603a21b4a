import type { Move } from './side.ts';

/** Numbers leased at a time; half of it left makes the next lease. */
const BLOCK = 2000;

/** Takes numbers from the sequence of the one side and leases them to the other, when that has few left. What a crash loses in between is a gap in the numbers. */
export async function leaseIds({ description: { ids }, from, to }: Move, block = BLOCK): Promise<void> {
  if (!ids) return;
  const [giver, taker] = ids.at === from.name ? [from, to] : [to, from];
  const { rows } = await taker.pool.query<[string]>({ text: ids.left, rowMode: 'array' });
  if (Number(rows[0]![0]) > block / 2) return;
  // Others draw from the sequence meanwhile: what we get may be several runs.
  const { rows: runs } = await giver.pool.query<{ first: string; size: string }>(
    `SELECT min(id)::text AS first, count(*)::text AS size
     FROM (SELECT id, id - row_number() OVER (ORDER BY id) AS run FROM (SELECT nextval($1::regclass) AS id FROM generate_series(1, $2)) taken) numbered
     GROUP BY run ORDER BY min(id)`,
    [ids.sequence, block],
  );
  for (const { first, size } of runs) await taker.pool.query(ids.lease, [first, size]);
}

/** Numbers taken from a sequence at once when a move ends, at most; and those skipped, which somebody may have drawn at that moment. */
const FOR_EVER = 2n ** 40n;
const SKIPPED = 100_000n;

/** Leases so many numbers that the other side needs no further lease; the sequence goes on behind them. For the end of a move. */
export async function leaseForEver({ description: { ids }, from, to }: Move): Promise<void> {
  if (!ids) return;
  const [giver, taker] = ids.at === from.name ? [from, to] : [to, from];
  const { rows: left } = await taker.pool.query<[string]>({ text: ids.left, rowMode: 'array' });
  // It was done before.
  if (BigInt(left[0]![0]) > FOR_EVER / 2n) return;
  const { rows } = await giver.pool.query<{ first: string; last: string }>(
    `WITH at AS MATERIALIZED (
       SELECT nextval($1::regclass) AS first, seqmax FROM pg_sequence WHERE seqrelid = $1::regclass
     ), room AS MATERIALIZED (SELECT first, least($2::bigint, (seqmax - first) / 2) AS size FROM at)
     SELECT first::text, setval($1::regclass, first + size)::text AS last FROM room`,
    [ids.sequence, FOR_EVER.toString()],
  );
  const first = BigInt(rows[0]!.first) + SKIPPED;
  const size = BigInt(rows[0]!.last) - first + 1n;
  if (size < 1n) throw new Error(`the sequence ${ids.sequence} has too few numbers left to lease`);
  await taker.pool.query(ids.lease, [first.toString(), size.toString()]);
}
