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

/** The condition on `s`, a row_state. A row that left the bucket counts: the other side still has it there. */
export function scopeSql(scope: Scope): string {
  return 'bucket' in scope
    ? `(s.b = ${scope.bucket} OR s.left_buckets @> ARRAY[${scope.bucket}])`
    : `s.b BETWEEN ${scope.first} AND ${scope.last}`;
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
      SELECT s.key::text, s.b, s.epoch::text, s.n::text, s.deleted, s.blob_sha, ${contentSql(key, side)}
      FROM strangler.${name}_row_state s LEFT JOIN ${side.table} t ON NOT s.deleted AND ${keySql(key, side, 's.key')}
      WHERE s.dirty AND ${scopeSql(scope)}
        AND NOT EXISTS (SELECT FROM strangler.${name}_parked p WHERE p.key = s.key AND p.retry_at > clock_timestamp())
      ORDER BY s.seq LIMIT ${limit}`,
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
