import { BlobFault, verifyBlob, type Blob } from './blobs.ts';
import { quote } from './columns.ts';
import { withContentSql } from './pending.ts';
import type { Move, Side } from './side.ts';

/** Blobs read at a time: as many as Node's threads that wait for disks. */
const AT_ONCE = 4;
const CHUNK = 500;

interface Named extends Blob {
  readonly key: string;
  readonly version: string;
}

/**
 * Reads both copies of every blob whose row is at both sides. What is missing or differs although the row has not changed since is wrong. Answers how many were
 * read, and gives `found` a sentence for each that is wrong.
 */
export async function verifyBlobs(move: Move, found: (sentence: string) => void): Promise<number> {
  const side = [move.from, move.to].find(({ blobs }) => blobs?.path);
  if (!side) return 0;
  let count = 0;
  const rest = namedAt(move, side);
  const lane = async (): Promise<void> => {
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      count += 1;
      await verifyBlob(side.blobs!.folders, next.value).catch(async (error: unknown) => {
        if (!(error instanceof BlobFault)) throw error;
        // Asked after the fault: versions only rise, so the row was there when the file was not.
        if (await isSettled(move, next.value)) found(`key ${next.value.key}: ${error.message}`);
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return count;
}

/** The blobs of rows that the side with paths has and owes nobody. */
async function* namedAt({ description }: Move, side: Side): AsyncGenerator<Named> {
  const { name, key, blob } = description;
  for (let after = ''; ;) {
    const { rows } = await side.pool.query<Named & { sha256: string | null; path: string | null }>(
      `SELECT s.key, s.epoch || ',' || s.n AS version, t.${quote(blob!.path)}::text AS path, t.${quote(blob!.sha256)}::text AS sha256
       FROM (
         SELECT * FROM strangler.${name}_row_state WHERE key > $1 AND NOT deleted AND NOT dirty ORDER BY key LIMIT ${CHUNK}
       ) s ${withContentSql(key, side)} ORDER BY s.key`,
      [after],
    );
    for (const row of rows) if (row.path !== null && row.sha256 !== null) yield row;
    if (rows.length < CHUNK) return;
    after = rows.at(-1)!.key;
  }
}

/** Whether both sides still have this version. */
async function isSettled(
  { description: { name }, from, to }: Move,
  { key, version }: Named,
): Promise<boolean> {
  const states = await Promise.all(
    [from, to].map(async ({ pool }) => {
      const { rows } = await pool.query<{ same: boolean }>(
        `SELECT NOT deleted AND NOT dirty AND epoch || ',' || n = $2 AS same FROM strangler.${name}_row_state WHERE key = $1`,
        [key, version],
      );
      return rows[0]?.same ?? false;
    }),
  );
  return states.every(Boolean);
}
