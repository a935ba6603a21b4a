import pg from 'pg';
import type { TableFacts } from './facts.ts';

/** Owners are spread over this many buckets; a bucket is what is handed over at once. */
const BUCKETS = 1024;

export interface Counts {
  readonly rows: number;
  /** With indexes and what is stored out of line. */
  readonly bytes: number;
  readonly owners: number;
  readonly ownersPerBucket: Spread;
  readonly rowsPerBucket: Spread;
}

export interface Spread {
  readonly smallest: number;
  readonly median: number;
  readonly largest: number;
}

/** Counts everything, once through the table. */
export async function readCounts(client: pg.ClientBase, { sql }: TableFacts, owner: string): Promise<Counts> {
  const { rows } = await client.query<{ owners: string; rows: string }>(
    `WITH by_owner AS (SELECT ${pg.escapeIdentifier(owner)}::text AS owner, count(*) AS n FROM ${sql} GROUP BY 1)
     SELECT count(*) AS owners, sum(n) AS rows FROM by_owner
     GROUP BY ('x' || substr(md5(owner), 1, 8))::bit(32)::bigint & ${BUCKETS - 1}`,
  );
  const { rows: size } = await client.query<{ bytes: string }>(
    'SELECT pg_total_relation_size($1::regclass) AS bytes',
    [sql],
  );
  const owners = rows.map((row) => Number(row.owners));
  const counts = rows.map((row) => Number(row.rows));
  return {
    rows: sum(counts),
    bytes: Number(size[0]!.bytes),
    owners: sum(owners),
    ownersPerBucket: spread(owners),
    rowsPerBucket: spread(counts),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Buckets that are not named are empty. */
export function spread(counts: readonly number[]): Spread {
  const all = [...counts, ...Array.from({ length: BUCKETS - counts.length }, () => 0)].toSorted(
    (a, b) => a - b,
  );
  return {
    smallest: all[0]!,
    median: (all[BUCKETS / 2 - 1]! + all[BUCKETS / 2]!) / 2,
    largest: all[BUCKETS - 1]!,
  };
}
