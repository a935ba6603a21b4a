import pg from 'pg';
import { findingsOf, type Finding } from './finding.ts';
import type { End } from './mapping-rules.ts';
import { useSyncSettings } from './sample.ts';
import { without } from './subject.ts';
import type { Row } from '../description.ts';

/**
 * Whether the other side's database writes what the mapping gives as it was given. A number with fewer digits after the point, or JSON with other blanks, means
 * the same, but the verification compares texts and would take it for damage. Postgres before 16 can't be asked, and nothing is found there.
 */
export async function formFindings(
  url: string,
  here: End,
  there: End,
  rows: readonly Row[],
  out: (row: Row) => Row,
  name: string,
): Promise<Finding[]> {
  const { found, refuse } = findingsOf(here.subject.side);
  // A row that the mapping fails for is a finding of its own.
  const mapped = rows.flatMap((row) => {
    try {
      return [out(without(row, here.subject.kept))];
    } catch {
      return [];
    }
  });
  const columns = there.table.columns.filter(
    ({ name, generated }) => !generated && mapped.length > 0 && name in mapped[0]!,
  );
  if (columns.length === 0) return found;
  const client = new pg.Client({ connectionString: url, application_name: 'strangler-move-plan' });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN READ ONLY');
    await useSyncSettings(client);
    for (const column of columns) {
      const { rows: other } = await client.query<{ given: string; stored: string | null }>(
        `SELECT given, stored FROM unnest($1::text[]) AS given,
           LATERAL (SELECT CASE WHEN pg_input_is_valid(given, $2) THEN (given::${column.full})::text END AS stored) AS there
         WHERE given IS NOT NULL AND given IS DISTINCT FROM stored LIMIT 1`,
        [mapped.map((row) => row[column.name] ?? null), column.full],
      );
      const [one] = other;
      if (!one) continue;
      const what = `${name} gives ${short(one.given)} for ${column.name} of ${there.table.sql}`;
      if (one.stored === null)
        refuse(
          'mapping.refused',
          `${what}, which ${column.full} does not take`,
          `let ${name} give what the column takes, or let the column take it`,
        );
      else
        refuse(
          'mapping.form',
          `${what}, which is stored as ${short(one.stored)}: the verification would take the two for different`,
          `let ${name} give it as Postgres writes it, or give ${column.name} the type it has at ${here.subject.side}`,
        );
    }
  } catch (error) {
    // There is no pg_input_is_valid.
    if ((error as { code?: string }).code !== '42883') throw error;
  } finally {
    await client.end();
  }
  return found;
}

const short = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
