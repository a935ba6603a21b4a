import type { Move } from './side.ts';

/** A row that the other side could not take. It is tried again by itself, every few seconds. */
export interface Parked {
  /** The side that has it, and from which it should travel. */
  readonly side: string;
  /** The key columns as texts, a JSON array; its own name in `retryParked`. */
  readonly key: string;
  readonly b: number;
  readonly reason: string;
  /** ISO 8601, UTC: when it was parked first, and when it is tried next. */
  readonly since: string;
  readonly retryAt: string;
}

/** The rows of both sides that are parked, the longest first, `limit` at most. */
export async function readParked(
  { description: { name }, from, to }: Move,
  limit: number,
): Promise<Parked[]> {
  const found = await Promise.all(
    [from, to].map(async (side) => {
      const { rows } = await side.pool.query<{
        key: string;
        b: number;
        reason: string;
        since: number;
        retry: number;
      }>(
        `SELECT p.key, p.b, p.reason, (extract(epoch FROM p.parked_at) * 1000)::float8 AS since,
                (extract(epoch FROM p.retry_at) * 1000)::float8 AS retry
         FROM strangler.${name}_parked p JOIN strangler.${name}_row_state s ON s.key = p.key AND s.dirty
         ORDER BY p.parked_at, p.key LIMIT $1`,
        [limit],
      );
      return rows.map(({ since, retry, ...row }) => ({
        side: side.name,
        ...row,
        since: new Date(since).toISOString(),
        retryAt: new Date(retry).toISOString(),
      }));
    }),
  );
  return found
    .flat()
    .toSorted((one, other) => one.since.localeCompare(other.since))
    .slice(0, limit);
}

/** Has the runners try parked rows at once: one, on whichever side it is parked, or without `key` all of them. Answers how many these are. */
export async function retryParked({ description: { name }, from, to }: Move, key?: string): Promise<number> {
  const counts = await Promise.all(
    [from, to].map(async ({ pool }) => {
      const { rowCount } = await pool.query(
        `UPDATE strangler.${name}_parked SET retry_at = clock_timestamp() ${key === undefined ? '' : 'WHERE key = $1'}`,
        key === undefined ? [] : [key],
      );
      return rowCount ?? 0;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The key of a row as it is kept, from what a person writes: the array, in whatever spacing, or the value of a key of one column. */
export function parkedKey(given: string): string {
  let parts: unknown = null;
  try {
    // Numbers as they are written: those of JavaScript lose digits.
    parts = JSON.parse(given, (_: string, value: unknown, context?: { readonly source: string }) =>
      typeof value === 'number' ? context!.source : value,
    );
  } catch {
    // A text.
  }
  const texts = Array.isArray(parts) ? parts.map(String) : [given];
  return `[${texts.map((text) => JSON.stringify(text)).join(', ')}]`;
}
