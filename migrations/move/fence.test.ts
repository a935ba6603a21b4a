import assert from 'node:assert/strict';
import type pg from 'pg';
import { testMove, type TestMove } from '../../test/support/move.ts';
import { until } from '../../test/support/until.ts';
import { bucketOf } from './bucket.ts';
import { cancel } from './finish.ts';
import { lockClass } from './objects.ts';
import { start } from './start.ts';

describe('the fence and the mark', () => {
  let test: TestMove;
  beforeEach(async () => {
    test = await testMove();
    await start(test.move);
  });
  afterEach(() => test.close());

  const give = (b: number, home: string, epoch: number, moving = false, pool = test.old): Promise<unknown> =>
    pool.query('UPDATE strangler.things_bucket SET home = $2, epoch = $3, moving = $4 WHERE b = $1', [
      b,
      home,
      epoch,
      moving,
    ]);
  const states = async (pool = test.old): Promise<unknown[]> =>
    (
      await pool.query(
        'SELECT key, b, epoch::int, n::int, deleted, dirty, left_buckets AS "left" FROM strangler.things_row_state ORDER BY key',
      )
    ).rows;
  const refusal = (code: string, detail: string) => (error: pg.DatabaseError) => {
    assert.deepEqual([error.code, error.detail], [code, detail]);
    return true;
  };
  async function session<T>(work: (client: pg.PoolClient) => Promise<T>, pool = test.old): Promise<T> {
    const client = await pool.connect();
    try {
      return await work(client);
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  it('computes the same bucket in the databases and here', async () => {
    const owners = ['1', '2', '', 'é', 'a longer name', '18446744073709551616'];
    for (const owner of owners) {
      const { rows } = await test.old.query('SELECT strangler.things_bucket_of($1) AS b', [owner]);
      assert.equal(rows[0].b, bucketOf(owner), owner);
    }
  });

  it('gives each write of a row a version, over its deletion too', async () => {
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 7)');
    await test.old.query('UPDATE things SET n = 1');
    await test.old.query('DELETE FROM things');
    const b = bucketOf('7');
    assert.deepEqual(await states(), [
      { key: '["1"]', b, epoch: 1, n: 3, deleted: true, dirty: true, left: [] },
    ]);
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 7)');
    assert.deepEqual(await states(), [
      { key: '["1"]', b, epoch: 1, n: 4, deleted: false, dirty: true, left: [] },
    ]);
  });

  it('marks nothing that ON CONFLICT leaves alone', async () => {
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 7)');
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 7), (2, 7) ON CONFLICT DO NOTHING');
    assert.deepEqual(
      (await states()).map((state: any) => [JSON.parse(state.key)[0], state.n]),
      [
        ['1', 1],
        ['2', 1],
      ],
    );
  });

  it('takes another key for a deletion and an insertion, in whichever order one statement does it', async () => {
    await test.old.query('ALTER TABLE things DROP CONSTRAINT things_pkey');
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 7), (2, 7)');
    await test.old.query('UPDATE things SET id = id + 1');
    assert.deepEqual(
      (await states()).map((state: any) => [JSON.parse(state.key)[0], state.deleted]),
      [
        ['1', true],
        ['2', false],
        ['3', false],
      ],
    );
  });

  it('remembers the bucket a row has left until it is sent', async () => {
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 7)');
    await give(bucketOf('7'), 'monolith', 5);
    await test.old.query('UPDATE things SET n = 1');
    await test.old.query('UPDATE things SET owner = 8');
    assert.deepEqual(await states(), [
      { key: '["1"]', b: bucketOf('8'), epoch: 5, n: 3, deleted: false, dirty: true, left: [bucketOf('7')] },
    ]);
  });

  it('refuses writes away from home, with where the home is', async () => {
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 7)');
    await assert.rejects(
      test.young.query('INSERT INTO things (owner) VALUES (7)'),
      refusal('SK421', 'monolith; epoch=1'),
    );
    await give(bucketOf('7'), 'image-api', 2, true);
    for (const sql of [
      'INSERT INTO things (owner) VALUES (7)',
      'UPDATE things SET n = 1 WHERE id = 1',
      'DELETE FROM things WHERE id = 1',
      'UPDATE things SET owner = 8 WHERE id = 1',
      'INSERT INTO things (id, owner) VALUES (1, 7) ON CONFLICT DO NOTHING',
    ])
      await assert.rejects(test.old.query(sql), refusal('SK421', 'image-api; epoch=2; moving'), sql);
    await test.old.query('INSERT INTO things (owner) VALUES (8)');
    const { rows } = await test.old.query(
      'SELECT strangler.things_is_home($1) AS a, strangler.things_is_home($2) AS b',
      [7, 8],
    );
    assert.deepEqual(rows, [{ a: false, b: true }]);
  });

  it('refuses a transaction over rows of two homes, and a key of the other side for another owner', async () => {
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 7)');
    await test.old.query('DELETE FROM things');
    await give(bucketOf('7'), 'image-api', 2);
    await session(async (client) => {
      await client.query('BEGIN; INSERT INTO things (id, owner) VALUES (2, 8)');
      await assert.rejects(
        client.query('INSERT INTO things (id, owner) VALUES (3, 7)'),
        refusal('SK409', 'image-api; epoch=2'),
      );
    });
    await session(async (client) => {
      await client.query('BEGIN; SAVEPOINT s; INSERT INTO things (id, owner) VALUES (2, 8); ROLLBACK TO s');
      await assert.rejects(
        client.query('INSERT INTO things (id, owner) VALUES (3, 7)'),
        refusal('SK421', 'image-api; epoch=2'),
      );
    });
    await assert.rejects(
      test.old.query('INSERT INTO things (id, owner) VALUES (1, 8)'),
      refusal('SK409', 'image-api; epoch=2'),
    );
  });

  it('makes a fence wait for open writers, who then see the new home, in every isolation level', async () => {
    const lock = `SELECT pg_advisory_xact_lock(${lockClass('things')}, ${bucketOf('7')})`;
    for (const [level, code] of [
      ['READ COMMITTED', 'SK421'],
      ['REPEATABLE READ', '40001'],
      ['SERIALIZABLE', '40001'],
    ]) {
      await give(bucketOf('7'), 'monolith', 1);
      await session((writer) =>
        session(async (late) => {
          await writer.query('BEGIN; INSERT INTO things (owner) VALUES (7)');
          await late.query(`BEGIN ISOLATION LEVEL ${level}; SELECT 1 FROM things`);
          const fence = session(async (mover) => {
            await mover.query(`BEGIN; ${lock}`);
            await mover.query('UPDATE strangler.things_bucket SET home = $1, epoch = 2', ['image-api']);
            await mover.query('COMMIT');
          });
          const waiting = async (count: number): Promise<boolean> =>
            (
              await test.old.query(
                `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = ($1::bigint & 4294967295)::oid`,
                [lockClass('things')],
              )
            ).rowCount === count;
          await until(() => waiting(1), 'the fence to wait');
          const write = late.query('INSERT INTO things (owner) VALUES (7)').catch((error: Error) => error);
          await until(() => waiting(2), 'the second writer to wait behind it');
          await writer.query('COMMIT');
          await fence;
          assert.equal(((await write) as pg.DatabaseError).code, code, level);
        }),
      );
    }
  });

  it('has transactions begun again that are older than the move', async () => {
    await cancel(test.move);
    await session((early) =>
      session(async (earliest) => {
        await early.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_class');
        await earliest.query('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT FROM pg_class');
        await start(test.move);
        for (const client of [early, earliest])
          await assert.rejects(client.query('INSERT INTO things (owner) VALUES (7)'), { code: '40001' });
      }),
    );
  });

  it('refuses TRUNCATE, and fences COPY', async () => {
    await assert.rejects(test.old.query('TRUNCATE things'), /refused while its rows are moving/);
    await give(bucketOf('7'), 'image-api', 2);
    await assert.rejects(
      test.old.query("COPY things (owner) FROM PROGRAM 'echo 7'"),
      refusal('SK421', 'image-api; epoch=2'),
    );
  });

  it('has its writes flushed before others see them, whatever the session prefers', async () => {
    await session(async (client) => {
      await client.query('SET synchronous_commit = off; BEGIN; INSERT INTO things (owner) VALUES (7)');
      assert.deepEqual((await client.query('SHOW synchronous_commit')).rows, [{ synchronous_commit: 'on' }]);
      await client.query('COMMIT');
      assert.deepEqual((await client.query('SHOW synchronous_commit')).rows, [{ synchronous_commit: 'off' }]);
      await client.query('RESET synchronous_commit');
    });
  });

  it('lets a role write that has no right in the schema', async () => {
    await test.old.query('CREATE ROLE plain; GRANT SELECT, INSERT ON things TO plain');
    try {
      await session(async (client) => {
        await client.query("BEGIN; SET LOCAL ROLE plain; SET LOCAL search_path = ''");
        await client.query('INSERT INTO public.things (owner) VALUES (7)');
        await assert.rejects(client.query('SELECT FROM strangler.things_row_state'), /permission denied/);
      });
      assert.equal((await states()).length, 0);
    } finally {
      await test.old.query('DROP OWNED BY plain; DROP ROLE plain');
    }
  });
});
