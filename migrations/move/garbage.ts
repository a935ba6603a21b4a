import type pg from 'pg';
import { dropDown } from './blobs.ts';
import { quote } from './columns.ts';
import type { MoveDescription, Row } from './description.ts';
import { keySql, type Pending } from './pending.ts';
import { transaction, type Side } from './side.ts';

/*
 * Files that no row names any more, at the side that keeps them at paths. The application there deletes the file of a row that it deletes; of a row that the
 * sync deletes, we have to. In the transaction that takes the row away its path is noted; later, with nobody else at that note, it is looked up once more whether
 * a row names the path, and the file goes. Whoever brings a file to a path takes the note away first, so that from then on nobody removes it.
 */

type Move = MoveDescription;

/** Before files are brought to paths: from here nobody removes them. */
export async function keepPaths({ name }: Move, { pool }: Side, paths: readonly string[]): Promise<void> {
  if (paths.length > 0)
    await pool.query(`DELETE FROM strangler.${name}_garbage WHERE path = ANY ($1)`, [paths]);
}

/** The paths that the rows with these keys name now. */
export async function namedBy(
  client: pg.PoolClient,
  { key }: Move,
  side: Side,
  sent: readonly Pending[],
): Promise<string[]> {
  if (!side.blobs?.path) return [];
  const { rows } = await client.query<{ path: string }>(
    `SELECT t.${quote(side.blobs.path)}::text AS path FROM ${side.table} t JOIN unnest($1::text[]) AS sent(key) ON ${keySql(key, side, 'sent.key::jsonb')}
     WHERE t.${quote(side.blobs.path)} IS NOT NULL`,
    [sent.map((one) => one.key)],
  );
  return rows.map(({ path }) => path);
}

/** Notes those of the paths that no row names. `rows`: also those that were sent and came too late, for which a file may have been brought. */
export async function noteGarbage(
  client: pg.PoolClient,
  { name }: Move,
  side: Side,
  paths: readonly string[],
  rows: readonly Row[],
): Promise<void> {
  const all = [...new Set([...paths, ...pathsOf(side.blobs, rows)])];
  if (all.length === 0) return;
  await client.query(
    `INSERT INTO strangler.${name}_garbage (path) SELECT path FROM unnest($1::text[]) AS path
     WHERE NOT EXISTS (SELECT FROM ${side.table} t WHERE t.${quote(side.blobs!.path!)} = path) ORDER BY path
     ON CONFLICT (path) DO NOTHING`,
    [all],
  );
}

/** Removes one file that was noted `grace` milliseconds ago or earlier. Answers whether there may be more. */
export async function collectOne({ name }: Move, side: Side, grace: number): Promise<boolean> {
  const { blobs } = side;
  if (!blobs?.path) return false;
  const { path: column, folders } = blobs;
  return transaction(side, LOCK_TIMEOUT, async (client) => {
    const { rows } = await client.query<{ path: string; named: boolean }>(
      `SELECT path, EXISTS (SELECT FROM ${side.table} t WHERE t.${quote(column)} = path) AS named FROM strangler.${name}_garbage
       WHERE since < clock_timestamp() - $1 * interval '1 ms' ORDER BY since LIMIT 1 FOR UPDATE SKIP LOCKED`,
      [grace],
    );
    const [found] = rows;
    if (!found) return false;
    if (!found.named) await dropDown(folders, found.path);
    await client.query(`DELETE FROM strangler.${name}_garbage WHERE path = $1`, [found.path]);
    return true;
  });
}

const LOCK_TIMEOUT = 1000;

const pathsOf = (blobs: Side['blobs'], rows: readonly Row[]): string[] =>
  blobs?.path ? rows.flatMap((row) => row[blobs.path!] ?? []) : [];
