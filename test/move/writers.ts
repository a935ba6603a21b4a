import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { until } from '../support/until.ts';

/** How one side's application writes: `change` adds one to the row with key $1, $2; `counted` reads all as key and n. */
export interface Written {
  readonly pool: pg.Pool;
  readonly change: string;
  readonly counted: string;
}

export interface Writers {
  acked(): number;
  /** Resolves when so many were acknowledged. */
  until(count: number): Promise<void>;
  /** At each side each row has what was acknowledged. */
  assertKept(): Promise<void>;
  stop(): Promise<void>;
}

/** Two clients that add to rows they share; refused at one side, they ask the other. */
export function writers(sides: readonly [Written, Written]): Writers {
  const acked = new Map<string, number>();
  const failures: Error[] = [];
  let total = 0;
  let stopped = false;
  const keys = sides[0].pool.query<{ key: string }>(sides[0].counted);
  const work = [0, 1].map(async (start) => {
    const all = (await keys).rows.map(({ key }) => key);
    for (let i = 0, side = start; !stopped; i += 1) {
      const key = all[(i * 7 + start) % all.length]!;
      // Clients think, too: what is tested is not how busy the machine can be.
      await wait(5);
      const at = key.lastIndexOf('/');
      try {
        const { rowCount } = await sides[side]!.pool.query(sides[side]!.change, [
          key.slice(0, at),
          key.slice(at + 1),
        ]);
        // Not here yet: the rows are still being copied.
        if (rowCount === 0) {
          side = 1 - side;
          continue;
        }
        acked.set(key, (acked.get(key) ?? 0) + 1);
        total += 1;
      } catch (error) {
        if ((error as pg.DatabaseError).code !== 'SK421') failures.push(error as Error);
        side = 1 - side;
      }
    }
  });
  return {
    acked: () => total,
    until: (count) => until(() => total >= count || failures.length > 0, `${count} writes`),
    async assertKept() {
      assert.deepEqual(failures, []);
      for (const { pool, counted } of sides)
        for (const { key, n } of (await pool.query<{ key: string; n: number }>(counted)).rows)
          assert.equal(n, acked.get(key) ?? 0, key);
    },
    async stop() {
      stopped = true;
      await Promise.all(work);
    },
  };
}
