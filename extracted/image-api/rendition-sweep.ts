import type { RenditionFolder } from './rendition-folder.ts';
import { usedNow, type RenditionIndex } from './rendition-index.ts';

type WithIndex = <T>(use: (index: RenditionIndex) => T) => T | undefined;

/**
 * Brings files and rows together again after processes that were killed: files without a row, rows without a file, files that were never finished. What is younger than
 * `stale` milliseconds may be another process's work, and stays.
 */
export async function sweepRenditions(
  files: RenditionFolder,
  withIndex: WithIndex,
  stale: number,
): Promise<void> {
  const shards = new Set(await files.shards());
  for (let first = 0; first < 256; first++) {
    const shard = first.toString(16).padStart(2, '0');
    const found = new Set(shards.has(shard) ? await files.list(shard, stale) : []);
    const rows = withIndex((index) => index.range(shard, `${shard}~`));
    if (!rows) return;
    const before = usedNow() - stale * 1000;
    const withoutFile = [...rows].filter(([key, used]) => !found.has(key) && used < before);
    const withoutRow: string[] = [];
    for (const key of found)
      if (!rows.has(key) && ((await files.age(key)) ?? 0) > stale) withoutRow.push(key);
    if (withoutFile.length + withoutRow.length === 0) continue;
    withIndex((index) => {
      // Made anew between the look and the lock: it stays.
      index.drop(withoutRow, files.remove, (key) => !index.has(key));
      index.drop(
        withoutFile.map(([key]) => key),
        files.remove,
        (key) => (index.range(key, `${key}~`).get(key) ?? Infinity) < before,
      );
    });
  }
}
