import assert from 'node:assert/strict';
import fc from 'fast-check';
import type pg from 'pg';
import { testDatabase, testPool, type TestDatabase } from '../../test/support/postgres.ts';
import type { Row } from '../move/description.ts';
import { planMove } from '../move/plan/plan.ts';
import { subjectOf } from '../move/plan/subject.ts';
import images from './images.ts';

const KINDS = ['jpeg', 'png', 'webp', 'avif', 'gif'] as const;
const bigint = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String);
const integer = fc.integer({ min: 1, max: 2 ** 31 - 1 }).map(String);
/** What a text column can hold: no U+0000, no half of a pair. */
const anyText = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll('\0', ''));
const sha256 = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const instant = fc
  .date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
  .map((date) =>
    date
      .toISOString()
      .replace('T', ' ')
      .replace('Z', '+00')
      .replace(/\.?0*\+/, '+'),
  );

const legacyRow: fc.Arbitrary<Row> = fc
  .record(
    {
      id: bigint,
      product_id: bigint,
      kind: fc.constantFrom(...KINDS),
      bytes: integer,
      width: integer,
      height: integer,
      sha256,
      alt: anyText,
      created_at: instant,
    },
    { noNullPrototype: true },
  )
  .chain(({ kind, ...row }) =>
    fc
      .oneof(
        fc.uuid().map((uuid) => `products/${row.product_id}/${uuid}.${kind}`),
        fc.constant(`products/${row.product_id}/${row.id}.${kind}`),
        fc.constantFrom('', '/', '//', 'a', '/a', 'a/', 'a/b/c', './a', 'products/1/1.jpeg'),
        anyText,
      )
      .map((file) => ({ ...row, file, content_type: `image/${kind}` })),
  );

const ownRow: fc.Arbitrary<Row> = fc.record(
  {
    id: bigint,
    product_id: bigint,
    kind: fc.constantFrom(...KINDS),
    size: integer,
    width: integer,
    height: integer,
    sha256,
    alt: anyText,
    added_at: instant,
    legacy_folder: fc.constant(null),
    legacy_name: fc.constant(null),
  },
  { noNullPrototype: true },
);

describe('the mapping of the images’ move', () => {
  it('brings every row back as it was', () =>
    fc.assert(
      fc.property(legacyRow, (row) => assert.deepEqual(images.down(images.up(row)), row)),
      { numRuns: 2000 },
    ));

  it('brings back every row that was born in the service', () =>
    fc.assert(
      fc.property(ownRow, (row) => assert.deepEqual(images.up(images.down(row)), row)),
      { numRuns: 1000 },
    ));

  it('names no file twice: of different pictures come different files', () =>
    fc.assert(
      fc.property(ownRow, ownRow, (one, other) => {
        fc.pre(one['id'] !== other['id']);
        assert.notEqual(images.down(one)['file'], images.down(other)['file']);
      }),
    ));

  it('keeps the key and the owner, and finds the blob', () =>
    fc.assert(
      fc.property(legacyRow, (row) => {
        const up = images.up(row);
        for (const column of [...images.key, images.owner, images.blob.sha256])
          assert.equal(up[column], row[column]);
        assert.notEqual(row[images.blob.path], undefined);
      }),
    ));

  it('refuses a row with a hole, so that it is parked and not guessed', () => {
    assert.throws(() => images.up({ id: '1' }), /is empty/);
    assert.throws(() => images.down({ id: '1' }), /is empty/);
  });

  describe('in Postgres', () => {
    let legacy: TestDatabase;
    let own: TestDatabase;
    let pools: readonly [pg.Pool, pg.Pool];
    before(async () => {
      legacy = await testDatabase({ migrate: ['monolith'] });
      own = await testDatabase({ migrate: ['image-api-own'] });
      pools = [testPool(legacy.url), testPool(own.url)];
      await pools[0].query("INSERT INTO products (id, name, price_cents) VALUES (7, 'Lantern', 1)");
    });
    after(async () => {
      for (const pool of pools ?? []) await pool.end();
      await legacy?.drop();
      await own?.drop();
    });

    /** Writes a row given as text by column; answers it as the database writes it. */
    async function through(pool: pg.Pool, table: string, row: Row): Promise<Row> {
      const columns = Object.keys(row);
      const { rows } = await pool.query<{ row: Row }>(
        `INSERT INTO ${table} (${columns.join()}) VALUES (${columns.map((_, n) => `$${n + 1}`).join()})
         RETURNING jsonb_build_object(${columns.map((name) => `'${name}', ${name}::text`).join()}) AS row`,
        columns.map((name) => row[name]),
      );
      return rows[0]!.row;
    }

    it('is nothing that the plan refuses', async () => {
      const plan = await planMove({ subject: subjectOf(images), from: legacy.url, to: own.url });
      assert.deepEqual(
        plan.findings.filter(({ refuses }) => refuses),
        [],
      );
    });

    it('leases ids of the old side to the new one', async () => {
      const { rows } = await pools[0].query<{ first: string; size: number }>(
        `SELECT min(id) AS first, count(*)::int AS size FROM (SELECT nextval('${images.ids.sequence}') AS id FROM generate_series(1, 5)) AS taken`,
      );
      await pools[1].query(images.ids.lease, [rows[0]!.first, rows[0]!.size]);
      assert.deepEqual((await pools[1].query({ text: images.ids.left, rowMode: 'array' })).rows, [['5']]);
      const next = await pools[1].query<{ id: string }>('SELECT next_picture_id() AS id');
      assert.equal(next.rows[0]!.id, rows[0]!.first);
    });

    it('speaks of every column, and both tables take what the other gives', async () => {
      const stored = await through(pools[0], 'images', {
        id: '41',
        product_id: '7',
        file: 'products/7/9b2c1f00-0000-4000-8000-000000000000.png',
        content_type: 'image/png',
        bytes: '12',
        width: '3',
        height: '4',
        sha256: 'ab'.repeat(32),
        alt: 'Ein “Bild”\\',
        created_at: '2026-03-29 01:59:59.123456+02',
      });
      const up = await through(pools[1], images.toTable, images.up(stored));
      await pools[0].query('DELETE FROM images');
      assert.deepEqual(await through(pools[0], images.fromTable, images.down(up)), stored);
      for (const [pool, table, row] of [
        [pools[0], 'images', stored],
        [pools[1], 'pictures', { ...up, ...Object.fromEntries(images.newOnly.map((name) => [name, null])) }],
      ] as const) {
        const { rows } = await pool.query<{ name: string }>(
          'SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped',
          [table],
        );
        assert.deepEqual(rows.map(({ name }) => name).sort(), Object.keys(row).sort());
      }
    });
  });
});
