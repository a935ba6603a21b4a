import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';
import { ITEMS, VIEWS } from './catalogue.ts';
import { photograph } from './pictures.ts';
import { seed } from './seed.ts';
import { checkPassword } from './sessions.ts';

describe('the seed', function () {
  // Sixteen pictures are computed; on a busy machine that takes its time.
  this.timeout(120_000);
  let shop: OpenMonolith;
  let blobDir: string;
  before(async () => {
    shop = await openMonolith();
    blobDir = mkdtempSync(join(tmpdir(), 'seed-'));
    // Two shops that open at the same moment.
    await Promise.all([seed(shop.pool, blobDir), seed(shop.pool, blobDir)]);
  });
  after(async () => {
    await shop?.close();
    rmSync(blobDir, { recursive: true, force: true });
  });
  const images = async (): Promise<
    { id: string; product_id: string; file: string; alt: string; sha256: string }[]
  > => (await shop.pool.query('SELECT id, product_id, file, alt, sha256 FROM images ORDER BY id')).rows;

  it('fills the shop once, also when several processes call it', async () => {
    const { rows: users } = await shop.pool.query<{ password_hash: string }>(
      `SELECT * FROM users WHERE email = 'demo@example.com'`,
    );
    assert.equal(users.length, 1);
    assert.ok(await checkPassword('demo', users[0]!.password_hash));
    const { rows: products } = await shop.pool.query<{ name: string }>(
      'SELECT name FROM products ORDER BY id',
    );
    assert.deepEqual(
      products.map(({ name }) => name),
      ITEMS.map(({ name }) => name),
    );
    assert.equal((await images()).length, ITEMS.length * VIEWS.length);
    assert.deepEqual(readdirSync(join(blobDir, 'incoming')), []);
  });

  it('gives each product pictures that differ, are large, and say what they show, the whole thing first', async () => {
    const rows = await images();
    assert.equal(new Set(rows.map(({ sha256 }) => sha256)).size, rows.length);
    for (const item of ITEMS) {
      const own = rows.filter(({ alt }) => item.alts.includes(alt));
      assert.deepEqual(
        own.map(({ alt }) => alt),
        item.alts,
      );
      for (const { file } of own) {
        const picture = sharp(readFileSync(join(blobDir, file)));
        const { width, height, format } = await picture.metadata();
        assert.deepEqual([width, height, format], [1200, 900, 'jpeg']);
        // Neither flat nor burnt out.
        const { channels, entropy } = await picture.stats();
        assert.ok(entropy > 5, `${file} has an entropy of ${entropy}`);
        for (const { mean, stdev } of channels)
          assert.ok(mean > 40 && mean < 215 && stdev > 12, `${file}: ${mean}, ${stdev}`);
      }
    }
  });

  it('takes the same picture every time', async () => {
    const once = await photograph(ITEMS[0]!.still, VIEWS[0]!);
    assert.ok(once.equals(await photograph(ITEMS[0]!.still, VIEWS[0]!)));
  });

  it('leaves alone what was changed since', async () => {
    const [first, second] = await images();
    await shop.pool.query(`UPDATE images SET alt = 'Mine' WHERE id = $1`, [first!.id]);
    await shop.pool.query('DELETE FROM images WHERE id = $1', [second!.id]);
    const before = await images();
    await seed(shop.pool, blobDir);
    assert.deepEqual(await images(), before);
  });

  it('finishes what a seed that was cut off left', async () => {
    const before = await images();
    const { name, alts } = ITEMS[3]!;
    await shop.pool.query('DELETE FROM images WHERE alt = $1', [alts[1]]);
    await shop.pool.query('DELETE FROM seeded WHERE name = $1', [name]);
    await seed(shop.pool, blobDir);
    const after = await images();
    assert.equal(after.length, before.length);
    assert.equal(after.filter(({ alt }) => alt === alts[0]).length, 1);
    assert.equal(after.filter(({ alt }) => alt === alts[1]).length, 1);
  });
});
