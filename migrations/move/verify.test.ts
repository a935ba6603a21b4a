import assert from 'node:assert/strict';
import { testMove, type TestMove } from '../../test/support/move.ts';
import { backfillChunk } from './backfill.ts';
import { bucketOf } from './bucket.ts';
import { handOver } from './handover.ts';
import { start } from './start.ts';
import { syncOnce } from './sync.ts';
import { verify } from './verify.ts';

describe('the verification', () => {
  let test: TestMove;
  beforeEach(async () => {
    test = await testMove();
    await test.old.query('INSERT INTO things (id, owner, word) SELECT i, i, i FROM generate_series(1, 30) i');
    await start(test.move);
    await backfillChunk(test.move.description, test.move.from, 1000);
    await send();
  });
  afterEach(() => test.close());

  const send = async (): Promise<void> => {
    const { description, from, to } = test.move;
    while ((await syncOnce(description, from, to, { first: 0, last: 1023 })).rows > 0);
  };
  const corrupt = async (): Promise<string[]> => [...(await verify(test.move, 7)).corrupt];
  /** What somebody does who does not know of the move. */
  const behindItsBack = (sql: string, pool = test.young): Promise<unknown> =>
    pool.query(`BEGIN; SET LOCAL strangler.sync = 'things'; ${sql}; COMMIT`);

  it('finds nothing where nothing is wrong, and counts what is under way', async () => {
    await test.old.query("UPDATE things SET word = 'x' WHERE id < 4; DELETE FROM things WHERE id = 5");
    await test.old.query('INSERT INTO things (id, owner) VALUES (31, 1)');
    assert.deepEqual(await verify(test.move, 7), { rows: 31, lagging: 5, blobs: 0, corrupt: [] });
    await send();
    assert.deepEqual(await verify(test.move, 7), { rows: 31, lagging: 0, blobs: 0, corrupt: [] });
  });

  for (const [what, sql, message] of [
    [
      'another value',
      "UPDATE things SET word = '' WHERE id = 3",
      /key \["3"\]: one version, but word differ/,
    ],
    ['a null for an empty text', "UPDATE things SET short = '' WHERE id = 3", /but short differ/],
    [
      'a row that is missing',
      'DELETE FROM things WHERE id = 3',
      /image-api has no row, but nothing recorded/,
    ],
    [
      'a row nobody sent',
      'INSERT INTO things (id, owner) VALUES (99, 1)',
      /1 rows of image-api were written without/,
    ],
    [
      'a version that did not arrive',
      `UPDATE strangler.things_row_state SET n = -1 WHERE key = '["3"]'`,
      /image-api has an older version, but monolith believes/,
    ],
    [
      'a state that is missing',
      `DELETE FROM strangler.things_row_state WHERE key = '["3"]'; DELETE FROM things WHERE id = 3`,
      /image-api has an older version, but monolith believes/,
    ],
  ] as const)
    it(`finds ${what}; that stays, and stops handovers`, async () => {
      await behindItsBack(sql);
      assert.match((await corrupt()).join('\n'), message);
      for (const pool of [test.old, test.young])
        assert.match((await pool.query('SELECT corrupt FROM strangler.move')).rows[0].corrupt, message);
      await assert.rejects(handOver(test.move, bucketOf('1'), test.move.to), /the sides differ/);
      await behindItsBack("UPDATE things SET word = '3', short = NULL WHERE id = 3");
      await corrupt();
      await assert.rejects(handOver(test.move, bucketOf('1'), test.move.to), /the sides differ/);
    });

  it('raises no false alarm while both sides are written and synced', async () => {
    let isOver = false;
    const writing = (async () => {
      for (let i = 0; !isOver; i += 1) {
        await test.old.query('UPDATE things SET n = n + 1 WHERE id % 5 = $1', [i % 5]);
        if (i % 7 === 0) await test.old.query('DELETE FROM things WHERE id = $1', [1 + (i % 30)]);
        if (i % 7 === 3)
          await test.old.query('INSERT INTO things (id, owner) VALUES ($1, 1) ON CONFLICT DO NOTHING', [
            1 + (i % 30),
          ]);
      }
    })();
    const syncing = (async () => {
      while (!isOver) await send();
    })();
    for (let round = 0; round < 20; round += 1) assert.deepEqual(await corrupt(), []);
    isOver = true;
    await Promise.all([writing, syncing]);
  });
});
