import pg from 'pg';
import { findingsOf, type Finding } from './finding.ts';
import type { Subject } from './subject.ts';

/** Whether ids can be leased: the sequence at the side that has it, and the two statements at the other, as the mover will say them. */
export async function idsFindings(
  { ids, from, to }: Subject,
  urls: { readonly from: string; readonly to: string },
): Promise<Finding[]> {
  if (!ids) return [];
  const isFrom = ids.at === from.side;
  const [giver, taker] = isFrom ? [from.side, to.side] : [to.side, from.side];
  const [giverUrl, takerUrl] = isFrom ? [urls.from, urls.to] : [urls.to, urls.from];
  const at = findingsOf(giver);
  const there = findingsOf(taker);
  const missing = await complaint(
    giverUrl,
    `SELECT pg_sequence_last_value('${ids.sequence.replaceAll("'", "''")}'::regclass)`,
  );
  if (missing)
    at.refuse(
      'ids.sequence',
      `ids are leased from ${ids.sequence}, but ${missing}`,
      'name the sequence with its schema',
    );
  for (const [what, sql] of [
    ['left', `PREPARE ids_left AS ${ids.left}`],
    ['lease', `PREPARE ids_lease (bigint, bigint) AS ${ids.lease}`],
  ] as const) {
    const wrong = await complaint(takerUrl, sql);
    if (wrong)
      there.refuse(
        'ids.statement',
        `the statement ids.${what} of the move can't be said here: ${wrong}`,
        'name tables and functions with their schema; make them by a migration',
      );
  }
  return [...at.found, ...there.found];
}

/** What the database says against a statement, in a session like the mover's; nothing is done. */
async function complaint(url: string, sql: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url, application_name: 'strangler-move-plan' });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('BEGIN READ ONLY; SET LOCAL search_path = pg_catalog');
    await client.query(sql);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await client.end();
  }
}
