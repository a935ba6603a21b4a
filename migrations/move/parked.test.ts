import assert from 'node:assert/strict';
import { testMove, type TestMove } from '../../test/support/move.ts';
import { parkedKey, readParked, retryParked } from './parked.ts';
import { readProgress } from './progress.ts';
import { clearCorrupt, readRecord } from './record.ts';
import { start } from './start.ts';
import { syncOnce } from './sync.ts';
import { verify } from './verify.ts';

const ALL = { first: 0, last: 1023 };
/** So long that no test sees the end of it. */
const LONG = { parkedFor: 3_600_000 };

describe('rows that are parked', () => {
  let test: TestMove;
  beforeEach(async () => {
    test = await testMove();
    await start(test.move);
    await test.young.query("ALTER TABLE things ADD CONSTRAINT good CHECK (word <> 'bad')");
    for (const id of [1, 2, 3])
      await test.old.query("INSERT INTO things (id, owner, word) VALUES ($1, $1, 'bad')", [id]);
    const { description, from, to } = test.move;
    assert.deepEqual(await syncOnce(description, from, to, ALL, LONG), { rows: 0, parked: 3, isFull: false });
  });
  afterEach(() => test.close());

  const again = async (): Promise<number> => {
    const { description, from, to } = test.move;
    return (await syncOnce(description, from, to, ALL, LONG)).rows;
  };

  it('are told with side, reason and times, the longest first', async () => {
    const parked = await readParked(test.move, 100);
    assert.deepEqual(
      parked.map(({ side, key }) => [side, key]),
      [1, 2, 3].map((id) => ['monolith', `["${id}"]`]),
    );
    for (const { reason, since, retryAt } of parked) {
      assert.match(reason, /violates check constraint "good"/);
      assert.ok(Date.parse(retryAt) - Date.parse(since) > 3_500_000);
    }
    assert.equal((await readParked(test.move, 2)).length, 2);
    const { parked: told, waiting, buckets, sides } = await readProgress(test.move);
    assert.deepEqual([told.length, waiting['monolith']!.parked, waiting['image-api']!.parked], [3, 3, 0]);
    assert.deepEqual([buckets.atOld, buckets.atNew, sides.to], [1024, 0, 'image-api']);
  });

  it('are tried again at once when somebody asks for it, one or all', async () => {
    await test.young.query('ALTER TABLE things DROP CONSTRAINT good');
    assert.equal(await again(), 0, 'not before their time');
    assert.equal(await retryParked(test.move, '["2"]'), 1);
    assert.equal(await again(), 1);
    assert.equal(await retryParked(test.move, '["nothing"]'), 0);
    assert.equal(await retryParked(test.move), 2);
    assert.equal(await again(), 2);
    assert.deepEqual(await readParked(test.move, 100), []);
  });
});

describe('the key of a parked row', () => {
  it('is told as the value of one column, or as a JSON array whose numbers keep their digits', () => {
    for (const [given, key] of [
      ['7', '["7"]'],
      ['9007199254740993', '["9007199254740993"]'],
      ['[9007199254740993]', '["9007199254740993"]'],
      ['["nord",  5]', '["nord", "5"]'],
      ['say "a"', '["say \\"a\\""]'],
    ])
      assert.equal(parkedKey(given!), key);
  });
});

describe('a difference that a verification found', () => {
  let test: TestMove;
  before(async () => {
    test = await testMove();
  });
  after(() => test.close());

  it('is taken away by a person, and the next verification has the word', async () => {
    const { move, old, young } = test;
    await start(move);
    await old.query('INSERT INTO things (id, owner) VALUES (1, 1)');
    await syncOnce(move.description, move.from, move.to, ALL);
    const alter = (word: string) =>
      young.query(`BEGIN; SET LOCAL strangler.sync = 'things'; UPDATE things SET word = '${word}'; COMMIT`);
    await alter('other');
    assert.equal((await verify(move)).corrupt.length, 1);
    await alter('none');
    await verify(move);
    assert.match((await readRecord(move)).corrupt!, /word differ/, 'it stays, though the sides are equal');
    assert.match((await clearCorrupt(move))!, /word differ/);
    const { corrupt, verifiedAgo } = await readRecord(move);
    assert.deepEqual([corrupt, verifiedAgo], [null, null]);
    for (const pool of [old, young])
      assert.deepEqual((await pool.query('SELECT corrupt, verified_at FROM strangler.move')).rows, [
        { corrupt: null, verified_at: null },
      ]);
    assert.equal(await clearCorrupt(move), null);
    await verify(move);
    assert.notEqual((await readRecord(move)).verifiedAgo, null);
  });
});
