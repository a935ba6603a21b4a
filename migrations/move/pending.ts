import { literal, quote } from './columns.ts';
import type { MoveDescription, Row } from './description.ts';
import type { Side } from './side.ts';

/** A row the other side may not have yet, with its version and content of one moment. 64-bit numbers are texts. */
export interface Pending {
  /** The key columns' texts, as a JSON array. */
  readonly key: string;
  readonly b: number;
  readonly epoch: string;
  readonly n: string;
  readonly deleted: boolean;
  readonly blob: string | null;
  /** Null when it is deleted, or is missing although its state says otherwise. */
  readonly row: Row | null;
}

/** Which rows: buckets from `first` to `last`, or all that the handover of one bucket waits for. */
export type Scope = { readonly first: number; readonly last: number } | { readonly bucket: number };

/**
 * The dirty states of a scope, a query; $1 is the bucket, if it is one. A row that left a bucket counts: the other side still has it there. Each branch has an index of its own, which is small
 * whatever waits besides. Many buckets are not looked up by the index of buckets (`+ 0`): the oldest rows are wanted, and that of `seq` has them in this order.
 */
export function dirtySql(name: string, scope: Scope): string {
  const states = `SELECT s.* FROM strangler.${name}_row_state s WHERE s.dirty`;
  if (!('bucket' in scope)) return `${states} AND s.b + 0 BETWEEN ${scope.first} AND ${scope.last}`;
  return `${states} AND s.b = $1 UNION ALL ${states} AND s.left_buckets <> '{}' AND s.left_buckets @> ARRAY[$1::int] AND s.b <> $1`;
}

/**
 * Reads what is to be sent, oldest first, in one statement: version and content are of the same snapshot. Rows that are parked come again when their
 * time has come.
 */
export async function readPending(
  { name, key }: MoveDescription,
  side: Side,
  scope: Scope,
  limit: number,
): Promise<Pending[]> {
  const { rows } = await side.pool.query<
    [string, number, string, string, boolean, string | null, ...(string | null)[]]
  >({
    text: `
      SELECT s.key, s.b, s.epoch::text, s.n::text, s.deleted, s.blob_sha, ${contentSql(key, side)}
      FROM (
        SELECT * FROM (${dirtySql(name, scope)}) s
        WHERE NOT EXISTS (SELECT FROM strangler.${name}_parked p WHERE p.key = s.key AND p.retry_at > clock_timestamp())
        ORDER BY s.seq LIMIT ${limit}
      ) s ${withContentSql(key, side, 'NOT s.deleted')} ORDER BY s.seq`,
    values: 'bucket' in scope ? [scope.bucket] : [],
    rowMode: 'array',
  });
  return rows.map(([key, b, epoch, n, deleted, blob, exists, ...texts]) => ({
    key,
    b,
    epoch,
    n,
    deleted,
    blob,
    row: exists === null ? null : rowOf(side, texts),
  }));
}

/** Joins the rows `t` of states `s`, each by its key: that there are few of them is what the planner can't know. */
export const withContentSql = (key: readonly string[], side: Side, on = 'true'): string =>
  `LEFT JOIN LATERAL (SELECT t.* FROM ${side.table} t WHERE ${keySql(key, side, 's.key::jsonb')} OFFSET 0) t ON ${on}`;

/** Select list: the first key column, which tells whether there is a row `t`, then all that travel. */
export const contentSql = (key: readonly string[], { columns }: Side): string =>
  `CASE WHEN t.${quote(key[0]!)} IS NOT NULL THEN 'row' END, ${columns.map(({ name }) => `t.${quote(name)}::text`).join(', ')}`;

export const rowOf = ({ columns }: Side, texts: readonly (string | null)[]): Row =>
  Object.fromEntries(columns.map(({ name }, index) => [name, texts[index]!]));

/** That `t` is the row with a key given as JSON array. */
export function keySql(key: readonly string[], { columns }: Side, json: string): string {
  return key
    .map((name, index) => {
      const column = columns.find((candidate) => candidate.name === name);
      if (!column) throw new Error(`there is no column ${literal(name)}`);
      return `t.${quote(name)} = (${json} ->> ${index})::${column.type}`;
    })
    .join(' AND ');
}
