import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { bucketOf } from '../../migrations/move/bucket.ts';
import { wantedAtNew } from '../../migrations/move/homes.ts';
import { wantPercent } from '../../migrations/move/record.ts';
import type { Field } from './field.ts';
import { atRate, RATE, writerAtHome } from './load.ts';

/**
 * Raises the wanted share a percent at a time under load, which the runner brings about, ten buckets each. One of these has a writer of its own that does nothing
 * else. Milliseconds from the beginning of the first write that the old home did not do until the new home has done it, as that writer sees it; it asks again every
 * millisecond. Leaves the share at 0.
 */
export async function pauses(field: Field, times: number): Promise<number[]> {
  const { move, old, young, rows } = field;
  const stop = new AbortController();
  // Of its own, so that it does not queue behind the load.
  const clients = [await old.connect(), await young.connect()] as const;
  const write = writerAtHome(field);
  const load = atRate(RATE, stop.signal, (n) =>
    write(1 + ((n * 7919) % rows), `before, while and after ${n}`),
  );
  const { rows: owners } = await old.query<{ id: number; owner: string }>(
    'SELECT DISTINCT ON (product_id) id::int, product_id::text AS owner FROM photos ORDER BY product_id LIMIT 20000',
  );
  const byBucket = new Map(owners.map(({ id, owner }) => [bucketOf(owner), id]));
  const found: number[] = [];
  try {
    await wait(500);
    for (let percent = 1; percent <= times; percent += 1) {
      let last = wantedAtNew(percent) - 1;
      // Few rows leave buckets empty.
      while (!byBucket.has(last) && last > wantedAtNew(percent - 1)) last -= 1;
      const id = byBucket.get(last);
      if (id === undefined) continue;
      const probing = probe(clients, id);
      await wait(20);
      await wantPercent(move, percent);
      found.push(await probing);
    }
  } finally {
    stop.abort();
    await load.finally(() => clients.forEach((client) => client.release(true)));
  }
  await field.strangler('reverse');
  return found;
}

async function probe([old, young]: readonly [pg.PoolClient, pg.PoolClient], id: number): Promise<number> {
  const homes = [
    [old, 'photos'],
    [young, 'pictures'],
  ] as const;
  let since = 0;
  for (let turn = 0; ; turn += since > 0 ? 1 : 0) {
    const [client, table] = homes[turn % 2]!;
    const began = performance.now();
    try {
      await client.query({
        name: `probe ${table}`,
        text: `UPDATE ${table} SET alt = $2 WHERE id = $1`,
        values: [id, `at ${began}`],
      });
      if (since > 0) return performance.now() - since;
    } catch (error) {
      if ((error as { code?: string }).code !== 'SK421') throw error;
      since ||= began;
    }
    await wait(1);
  }
}
