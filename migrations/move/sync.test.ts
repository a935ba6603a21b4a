import assert from 'node:assert/strict';
import { testMove, type TestMove } from '../../test/support/move.ts';
import { backfillChunk } from './backfill.ts';
import { apply } from './apply.ts';
import { BUCKETS, bucketOf } from './bucket.ts';
import { readPending } from './pending.ts';
import { start } from './start.ts';
import { clear, syncOnce, type Sent } from './sync.ts';

const ALL = { first: 0, last: BUCKETS - 1 };

/** Values that are easily changed on their way. */
const AWKWARD = `
  INSERT INTO things (id, owner, word, amount, anything, ratio, at, span, doc, raw, list, bytes, feel, code, short, n) VALUES
  (1, 1, '', 1.10, 1.500, 0.1, '2026-03-29 01:59:59.123456+01', '1 mon -1 days +02:03:04.000005', '{"a": 1.0, "b": [null, "\\\\"]}', '{"b":1, "a":  2, "a":3}', '{NULL,"NULL","",a\\,b,"{}","\\""}', '\\x00ff5c27', 'so so', 'a', 'ab   ', 9007199254740993),
  (2, 1, E'\\\\ '' " \\t\\n', 12345678901234567890.0123456789, 'NaN', 'Infinity', 'infinity', '-178000000 years', 'null', 'null', '{}', '', NULL, NULL, '', -9223372036854775808 / 2),
  (3, 2, 'é 漢 𝄞', NULL, 1e-30, '-0', '-infinity', NULL, '"\\u2028"', NULL, '[2:3]={a,b}', NULL, 'glad', '    ', NULL, 0),
  (4, 2, repeat('long ', 200000), 0, 1e300, 5e-324, '4713-01-02 00:00:00+00 BC', '0', '[]', '[]', '{{a,b},{c,NULL}}', decode(repeat('00ff', 100000), 'hex'), NULL, NULL, NULL, 1)`;

describe('the sync', () => {
  let test: TestMove;
  beforeEach(async () => {
    test = await testMove();
  });
  afterEach(() => test.close());

  const send = (batch?: number): Promise<Sent> =>
    syncOnce(test.move.description, test.move.from, test.move.to, ALL, {
      parkedFor: 0,
      ...(batch === undefined ? {} : { batch }),
    });
  const backfill = async (chunk: number): Promise<number> => {
    for (let total = 0; ;) {
      const { rows, isDone } = await backfillChunk(test.move.description, test.move.from, chunk);
      total += rows;
      if (isDone) return total;
    }
  };
  const count = async (condition: string, pool = test.old): Promise<number> =>
    (await pool.query(`SELECT FROM strangler.things_row_state WHERE ${condition}`)).rowCount!;
  const same = async (): Promise<void> => {
    const [old, young] = await Promise.all([test.rows('old'), test.rows('young')]);
    assert.deepEqual(young, old);
  };

  it('takes every kind of value over unchanged, by backfill and live', async () => {
    await test.old.query(AWKWARD);
    await start(test.move);
    assert.equal(await backfill(3), 4);
    assert.deepEqual(await send(), { rows: 4, parked: 0, isFull: false });
    await same();
    await test.old.query(
      "UPDATE things SET word = word || '!', at = at - interval '1 microsecond', ratio = -ratio",
    );
    await test.old.query('DELETE FROM things WHERE id = 2');
    await send();
    await same();
    assert.equal(await count('dirty'), 0);
    assert.equal(await count('dirty', test.young), 0);
    assert.equal(await count('deleted', test.young), 1);
  });

  it('sends live rows before those of the backfill, and those once', async () => {
    await test.old.query('INSERT INTO things (id, owner) SELECT i, i FROM generate_series(1, 50) i');
    await start(test.move);
    await backfill(7);
    await test.old.query('UPDATE things SET n = 1 WHERE id = 50');
    await test.old.query('INSERT INTO things (id, owner) VALUES (51, 3)');
    await send(2);
    assert.deepEqual((await test.young.query('SELECT id FROM things ORDER BY id')).rows, [
      { id: '50' },
      { id: '51' },
    ]);
    assert.equal(await backfill(7), 0);
    while ((await send(20)).rows > 0);
    await same();
  });

  it('gives way in a deadlock with a writer, and never the writer', async () => {
    await test.old.query('INSERT INTO things (id, owner) SELECT i, 1 FROM generate_series(1, 9) i');
    await start(test.move);
    const writer = await test.old.connect();
    try {
      await writer.query('BEGIN; UPDATE things SET n = 1 WHERE id = 9');
      const chunk = assert.rejects(backfill(100), { code: '55P03' });
      await writer.query('UPDATE things SET n = 1 WHERE id = 1');
      await chunk;
      await writer.query('COMMIT');
    } finally {
      writer.release();
    }
    assert.equal(await backfill(100), 9);
  });

  it('changes nothing when a process comes back with what it read long ago', async () => {
    await start(test.move);
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 1), (2, 1)');
    const { description, from, to } = test.move;
    const stale = await readPending(description, from, ALL, 10);
    await test.old.query('UPDATE things SET n = 5 WHERE id = 1');
    await clear(description, from, stale);
    assert.equal(await count('dirty'), 1);
    await send();
    await test.old.query('DELETE FROM things WHERE id = 2');
    await send();
    const { settled, ahead } = await apply(description, to, stale);
    assert.deepEqual([settled.length, ahead.length], [0, 2]);
    await same();
  });

  it('parks what the other side refuses, lets the others pass, and sends it when it can', async () => {
    await start(test.move);
    await test.young.query("ALTER TABLE things ADD CHECK (word <> 'bad')");
    await test.old.query(
      "INSERT INTO things (id, owner, word) VALUES (1, 1, 'good'), (2, 1, 'bad'), (3, 1, 'good')",
    );
    assert.deepEqual(await send(), { rows: 2, parked: 1, isFull: false });
    const { rows } = await test.old.query('SELECT key, reason FROM strangler.things_parked');
    assert.deepEqual(rows[0].key, '["2"]');
    assert.match(rows[0].reason, /violates check constraint/);
    assert.deepEqual(await send(), { rows: 0, parked: 1, isFull: false });
    await test.old.query("UPDATE things SET word = 'good' WHERE id = 2");
    await send();
    assert.equal((await test.old.query('SELECT FROM strangler.things_parked')).rowCount, 0);
    await same();
  });

  it('parks a value that is too long there, rather than cut it', async () => {
    await start(test.move);
    await test.young.query('ALTER TABLE things ALTER short TYPE varchar(3)');
    await test.old.query("INSERT INTO things (id, owner, short) VALUES (1, 1, 'abcd')");
    assert.deepEqual(await send(), { rows: 0, parked: 1, isFull: false });
  });

  it('parks a key that both sides used for different owners, and overwrites neither', async () => {
    await start(test.move);
    for (const pool of [test.old, test.young])
      await pool.query('UPDATE strangler.things_bucket SET home = $1, epoch = 2 WHERE b = $2', [
        'image-api',
        bucketOf('1'),
      ]);
    await test.young.query('INSERT INTO things (id, owner) VALUES (1, 1)');
    await test.old.query('INSERT INTO things (id, owner) VALUES (1, 2)');
    const { description, from, to } = test.move;
    assert.deepEqual(await send(), { rows: 0, parked: 1, isFull: false });
    assert.deepEqual(await syncOnce(description, to, from, ALL), { rows: 0, parked: 1, isFull: false });
    await test.young.query('UPDATE strangler.things_row_state SET dirty = false');
    assert.deepEqual(await send(), { rows: 0, parked: 1, isFull: false });
    assert.equal(await count('dirty'), 1);
  });

  it('sends what several workers read at once, once and in the end', async () => {
    await start(test.move);
    await test.old.query('INSERT INTO things (id, owner) SELECT i, i FROM generate_series(1, 200) i');
    for (let round = 0; round < 10; round += 1) {
      await Promise.all([
        test.old.query('UPDATE things SET n = n + 1 WHERE id % 3 = $1', [round % 3]),
        ...Array.from({ length: 4 }, () => send(70)),
      ]);
    }
    while ((await count('dirty')) > 0) await send();
    await same();
  });
});
