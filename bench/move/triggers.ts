import type { Field } from './field.ts';
import { percentile } from './load.ts';

/** Milliseconds that the triggers cost a single-row write, transaction and all: the median with them less the median without, writes in turn. */
export async function triggerCost(
  { old, rows }: Field,
  writes: number,
): Promise<{ update: number; insert: number }> {
  const client = await old.connect();
  const took = async (name: string, text: string, values: unknown[]): Promise<number> => {
    const began = performance.now();
    await client.query({ name, text, values });
    return performance.now() - began;
  };
  const insert = (table: string): string =>
    `INSERT INTO ${table} (id, product_id, file, content_type, bytes, width, height, sha256) VALUES ($1, $2, $3, 'image/png', 1, 1, 1, repeat('ab', 32))`;
  try {
    const times: Record<string, number[]> = {
      'update photos': [],
      'update plain': [],
      'insert photos': [],
      'insert plain': [],
    };
    for (let n = -100; n < writes; n += 1)
      for (const table of n % 2 === 0 ? ['photos', 'plain'] : ['plain', 'photos']) {
        const id = 1 + (((n + 100) * 97) % rows);
        const updated = await took(`update ${table}`, `UPDATE ${table} SET alt = $2 WHERE id = $1`, [
          id,
          `so ${n}`,
        ]);
        const added = rows + 1000 + n;
        const inserted = await took(`insert ${table}`, insert(table), [
          added,
          1 + (added % 5000),
          `products/${added}.png`,
        ]);
        if (n < 0) continue;
        times[`update ${table}`]!.push(updated);
        times[`insert ${table}`]!.push(inserted);
      }
    const difference = (what: string): number =>
      percentile(times[`${what} photos`]!, 0.5) - percentile(times[`${what} plain`]!, 0.5);
    return { update: difference('update'), insert: difference('insert') };
  } finally {
    client.release();
  }
}
