import { globSync } from 'node:fs';
import type pg from 'pg';

/** What of a blob folder and its rows does not belong together. */
export interface Leftovers {
  readonly incoming: string[];
  readonly withoutRow: string[];
  readonly withoutFile: string[];
}

/** `sql` selects the paths below `folder` that rows name; what is looked at lies two levels below `part`. */
export async function leftoversOf(
  pool: pg.Pool,
  sql: string,
  folder: string,
  part: string,
): Promise<Leftovers> {
  const { rows } = await pool.query<{ file: string }>(sql);
  const named = new Set(rows.map(({ file }) => file));
  const there = globSync(`${part}/*/*`, { cwd: folder });
  return {
    incoming: globSync('incoming/*', { cwd: folder }),
    withoutRow: there.filter((file) => !named.has(file)),
    withoutFile: [...named].filter((file) => !there.includes(file)),
  };
}
