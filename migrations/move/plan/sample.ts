import pg from 'pg';
import type { TableFacts } from './facts.ts';
import type { Row } from '../description.ts';

/** The settings under which the sync writes and reads texts, until the transaction ends. */
export async function useSyncSettings(client: pg.ClientBase): Promise<void> {
  await client.query(
    `SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'`,
  );
}

/**
 * Rows as text, without generated columns: the first and the last by the key, where the oldest and the newest habits of the application show, and a few of in between.
 * `most` is how many of each.
 */
export async function readSample(
  client: pg.ClientBase,
  { sql, columns }: TableFacts,
  key: readonly string[],
  most: number,
): Promise<readonly Row[]> {
  const quote = (name: string): string => pg.escapeIdentifier(name);
  const list = columns
    .filter(({ generated }) => !generated)
    .map(({ name }) => `${quote(name)}::text AS ${quote(name)}`)
    .join(', ');
  const by = (direction: string): string => key.map((name) => `t.${quote(name)} ${direction}`).join(', ');
  await useSyncSettings(client);
  const parts = [
    `(SELECT ${list} FROM ${sql} t ORDER BY ${by('ASC')} LIMIT $1)`,
    `(SELECT ${list} FROM ${sql} t ORDER BY ${by('DESC')} LIMIT $1)`,
    `(SELECT ${list} FROM ${sql} t TABLESAMPLE SYSTEM (1) LIMIT $1)`,
  ];
  const { rows } = await client.query<Record<string, string | null>>(parts.join(' UNION '), [most]);
  // A UNION comes in no order, and the first row that shows something is the one to be named.
  const text = (row: Row): string => key.map((name) => row[name]).join(' ');
  const order = new Intl.Collator('en', { numeric: true });
  return rows.toSorted((a, b) => order.compare(text(a), text(b)));
}
