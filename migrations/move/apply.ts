import type pg from 'pg';
import { literal, quote } from './columns.ts';
import type { MoveDescription, Row } from './description.ts';
import { namedBy, noteGarbage } from './garbage.ts';
import { keySql, type Pending } from './pending.ts';
import { transaction, type Side } from './side.ts';

/** What became of the rows that were sent. */
export interface Applied {
  /** The target has this version now: it took it, or had it. */
  readonly settled: readonly Pending[];
  /** The target has a version that the source never made. */
  readonly ahead: readonly Pending[];
}

/** Milliseconds a row may be locked at the target before the rows are left for the next time. */
const LOCK_TIMEOUT = 1000;

/**
 * Writes rows of one side into the other where their version is newer than what is there, in one transaction; triggers of this move let it pass.
 * Once more, late, or by a process that everybody believes dead, it changes nothing.
 */
export async function apply(
  description: MoveDescription,
  target: Side,
  sent: readonly Pending[],
): Promise<Applied> {
  const work = async (client: pg.PoolClient): Promise<Applied> => {
    const newer = await takeVersions(client, description, sent);
    const won = sent.filter(({ key }) => newer.has(key));
    const named = await namedBy(client, description, target, won);
    const gone = won.filter(({ deleted }) => deleted).map(({ key }) => key);
    if (gone.length > 0)
      await client.query(
        `DELETE FROM ${target.table} t USING unnest($1::text[]) AS gone(key) WHERE ${keySql(description.key, target, 'gone.key::jsonb')}`,
        [gone],
      );
    const adopted = new Map<Pending, Row>();
    for (const one of sent) if (!one.deleted) adopted.set(one, target.adopt(one.row!));
    await upsert(
      client,
      description,
      target,
      won.filter(({ deleted }) => !deleted).map((one) => adopted.get(one)!),
    );
    await noteGarbage(client, description, target, named, [...adopted.values()]);
    const rest = sent.filter(({ key }) => !newer.has(key));
    const same = rest.length === 0 ? new Set() : await sameVersions(client, description, rest);
    return {
      settled: [...won, ...rest.filter(({ key }) => same.has(key))],
      ahead: rest.filter(({ key }) => !same.has(key)),
    };
  };
  return transaction(target, LOCK_TIMEOUT, work, `SET LOCAL strangler.sync = ${literal(description.name)}`);
}

/** The keys whose version is newer here; theirs is the state now, and stays locked, so that of two workers with one key the second waits. */
async function takeVersions(
  client: pg.PoolClient,
  { name }: MoveDescription,
  sent: readonly Pending[],
): Promise<Set<string>> {
  const { rows } = await client.query<{ key: string }>(
    `INSERT INTO strangler.${name}_row_state AS s (key, b, epoch, n, deleted, dirty, seq, blob_sha)
     SELECT key, b, epoch, n, deleted, false, 0, blob_sha
     FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $5::boolean[], $6::text[]) AS sent(key, b, epoch, n, deleted, blob_sha)
     ORDER BY key COLLATE "C"
     ON CONFLICT (key) DO UPDATE SET b = excluded.b, epoch = excluded.epoch, n = excluded.n, deleted = excluded.deleted, blob_sha = excluded.blob_sha
     WHERE (s.epoch, s.n) < (excluded.epoch, excluded.n) AND NOT s.dirty
     RETURNING s.key`,
    [
      sent.map(({ key }) => key),
      sent.map(({ b }) => b),
      sent.map(({ epoch }) => epoch),
      sent.map(({ n }) => n),
      sent.map(({ deleted }) => deleted),
      sent.map(({ blob }) => blob),
    ],
  );
  return new Set(rows.map(({ key }) => key));
}

async function sameVersions(
  client: pg.PoolClient,
  { name }: MoveDescription,
  sent: readonly Pending[],
): Promise<Set<string>> {
  const { rows } = await client.query<{ key: string }>(
    `SELECT sent.key FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS sent(key, epoch, n)
     JOIN strangler.${name}_row_state s ON s.key = sent.key AND (s.epoch, s.n) = (sent.epoch, sent.n)`,
    [sent.map(({ key }) => key), sent.map(({ epoch }) => epoch), sent.map(({ n }) => n)],
  );
  return new Set(rows.map(({ key }) => key));
}

/** Rows of one shape: the columns come from the first. Columns that it does not name keep what they have. */
async function upsert(
  client: pg.PoolClient,
  { key }: MoveDescription,
  { table, columns }: Side,
  rows: readonly Row[],
): Promise<void> {
  const [first] = rows;
  if (!first) return;
  const given = columns.filter(({ name }) => name in first);
  const unknown = Object.keys(first).filter((name) => !given.some((column) => column.name === name));
  if (unknown.length > 0) throw new Error(`${table} has no column ${unknown.join(', ')}`);
  const names = given.map(({ name }) => quote(name));
  const set = given
    .filter(({ name }) => !key.includes(name))
    .map(({ name }) => `${quote(name)} = excluded.${quote(name)}`);
  await client.query(
    `INSERT INTO ${table} (${names.join(', ')}) OVERRIDING SYSTEM VALUE
     SELECT ${given.map(({ name, type }) => `r.${quote(name)}::${type}`).join(', ')}
     FROM unnest(${given.map((_, index) => `$${index + 1}::text[]`).join(', ')}) AS r(${names.join(', ')})
     ON CONFLICT (${key.map(quote).join(', ')}) DO ${set.length > 0 ? `UPDATE SET ${set.join(', ')}` : 'NOTHING'}`,
    given.map(({ name }) => rows.map((row) => row[name]!)),
  );
}
