import assert from 'node:assert/strict';
import { testMove, type TestMove } from '../../test/support/move.ts';
import { backfillChunk } from './backfill.ts';
import { bucketOf } from './bucket.ts';
import type { MoveDescription } from './description.ts';
import { handOver } from './handover.ts';
import { start } from './start.ts';
import { syncOnce } from './sync.ts';
import { verify } from './verify.ts';

/** The new table splits a name, has a column the old one lacks, and lacks one the old one has; the key has two columns. */
const PEOPLE: MoveDescription = {
  name: 'people',
  sides: { from: 'monolith', to: 'people-api' },
  fromTable: 'people',
  toTable: 'people',
  key: ['shop', 'id'],
  owner: 'shop',
  oldOnly: ['legacy'],
  newOnly: ['nick'],
  up: ({ name, ...rest }) => {
    const [first, ...last] = name!.split(' ');
    return { ...rest, first: first!, last: last.join(' ') };
  },
  down: ({ first, last, ...rest }) => ({ ...rest, name: `${first} ${last}` }),
};

describe('a mapping', () => {
  let test: TestMove;
  beforeEach(async () => {
    test = await testMove(PEOPLE, [
      `CREATE TABLE people (id int, shop text, name text NOT NULL, picture text, legacy text DEFAULT 'l', PRIMARY KEY (shop, id));
       INSERT INTO people (shop, id, name) SELECT 's' || i % 3, i, 'Ann van ' || i FROM generate_series(1, 9) i`,
      `CREATE TABLE people (shop text, id int, first text, last text, picture text, nick text DEFAULT 'n', PRIMARY KEY (shop, id))`,
    ]);
    await start(test.move);
    for (let isDone = false; !isDone;) ({ isDone } = await backfillChunk(PEOPLE, test.move.from, 4));
    await send();
  });
  afterEach(() => test.close());
  const send = (): ReturnType<typeof syncOnce> =>
    syncOnce(PEOPLE, test.move.from, test.move.to, { first: 0, last: 1023 });

  it('is applied up and down, and each side keeps its own columns', async () => {
    assert.deepEqual((await verify(test.move)).corrupt, []);
    const b = bucketOf('s1');
    await test.old.query("UPDATE people SET legacy = 'kept' WHERE id = 1");
    await handOver(test.move, b, test.move.to);
    await test.young.query("UPDATE people SET first = 'Eve', nick = 'kept' WHERE id = 1");
    await handOver(test.move, b, test.move.from);
    await test.old.query("UPDATE people SET name = name || '!' WHERE id = 1");
    await send();
    assert.deepEqual((await test.old.query('SELECT name, legacy FROM people WHERE id = 1')).rows, [
      { name: 'Eve van 1!', legacy: 'kept' },
    ]);
    assert.deepEqual((await test.young.query('SELECT first, last, nick FROM people WHERE id = 1')).rows, [
      { first: 'Eve', last: 'van 1!', nick: 'kept' },
    ]);
    assert.deepEqual((await verify(test.move)).corrupt, []);
  });
});
