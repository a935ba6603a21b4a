import { backfillChunk } from '../../migrations/move/backfill.ts';
import { bucketOf } from '../../migrations/move/bucket.ts';
import { commit, finalise } from '../../migrations/move/decide.ts';
import { drain, fence, handOver, settle } from '../../migrations/move/handover.ts';
import { start } from '../../migrations/move/start.ts';
import type { Move } from '../../migrations/move/side.ts';
import { syncOnce } from '../../migrations/move/sync.ts';
import { verify } from '../../migrations/move/verify.ts';
import { testMove, type TestMove } from '../support/move.ts';
import { plantInto, plantIntoDatabase, type Plant } from './plants.ts';

/** Mistakes that show in one order of events only, so seldom that a storm may miss it; here the order is given. */
export const SCRIPTED = {
  'owner change forgets the bucket it left': async ({ move, old, young }) => {
    await old.query('UPDATE things SET owner = 8, n = n + 1 WHERE id = 1');
    await handOver(move, b, move.to);
    // The new side still has the row with the old owner, unless the handover has waited for it; the old side is the home of its new owner.
    await young.query('UPDATE things SET n = n + 1 WHERE id = 1').catch(() => undefined);
    await old.query('UPDATE things SET n = n + 1 WHERE id = 1');
  },
  'commit not guarded by its epoch': async ({ move, old }) => {
    await fence(move, b, move.from, move.to);
    await drain(move, b, move.from, move.to, '2');
    // Another process gives it up; the first one was asleep before its commit.
    await old.query('UPDATE strangler.things_row_state SET dirty = true');
    await settle(move, b, { drainDeadline: -1 }).catch(() => undefined);
    await commit(move, b, move.to, '2');
  },
  'finalise believes a fenced home': async ({ move, old, young }) => {
    await fence(move, b, move.from, move.to);
    await commit(move, b, move.to, '2');
    await young.query('UPDATE things SET n = n + 1 WHERE id = 1');
    // It is fenced for the way back before the old side heard that it had gone.
    await fence(move, b, move.to, move.from);
    await finalise(move, b, move.from, move.to, '2');
    await old.query('UPDATE things SET n = n + 1 WHERE id = 1').catch(() => undefined);
    await settle(move, b);
  },
} satisfies Partial<Record<Plant, (test: TestMove) => Promise<void>>>;

export type Scripted = keyof typeof SCRIPTED;

const b = bucketOf('7');

/** Plays a script; answers what is wrong in the end: both sides the home of a bucket, rows that differ, or that can't be sent. */
export async function play(script: Scripted, isPlanted: boolean): Promise<string | undefined> {
  const test = await testMove();
  const { move, old, young } = test;
  try {
    await old.query('INSERT INTO things (id, owner) VALUES (1, 7), (2, 8)');
    await start(move);
    if (isPlanted) {
      for (const pool of [old, young]) await plantIntoDatabase(pool, script);
      plantInto(move, script);
    }
    await backfillChunk(move.description, move.from, 1000);
    await sendAll(move);
    await verify(move);
    await SCRIPTED[script](test);
    const parked = await sendAll(move);
    const homes = await Promise.all(
      [move.from, move.to].map(async ({ pool, name }) => {
        const { rows } = await pool.query<{ b: number }>(
          'SELECT b FROM strangler.things_bucket WHERE home = $1 AND NOT moving',
          [name],
        );
        return rows.map(({ b }) => b);
      }),
    );
    if (homes[0]!.some((one) => homes[1]!.includes(one))) return 'two homes';
    if (parked > 0) return 'rows that can not be sent';
    const [one, other] = [await test.rows('old'), await test.rows('young')];
    return one.join() === other.join() ? undefined : 'rows that differ';
  } finally {
    await test.close();
  }
}

/** Both ways, until nothing is sent; answers how many rows could not be. */
async function sendAll({ description, from, to }: Move): Promise<number> {
  for (;;) {
    const sent = [
      await syncOnce(description, from, to, { first: 0, last: 1023 }, { parkedFor: 0 }),
      await syncOnce(description, to, from, { first: 0, last: 1023 }, { parkedFor: 0 }),
    ];
    if (sent.every(({ rows }) => rows === 0)) return sent.reduce((sum, { parked }) => sum + parked, 0);
  }
}
