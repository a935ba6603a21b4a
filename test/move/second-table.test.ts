import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import supertest from 'supertest';
import type pg from 'pg';
import { openMonolith, type OpenMonolith } from '../support/monolith.ts';
import { testDatabase, testPool, type TestDatabase } from '../support/postgres.ts';
import { until } from '../support/until.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** The fenced blocks of the recipe, in its order. */
function recipe(): string[] {
  const text = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const [, section] = /### Move a second table\n([^]*?)\n### /.exec(text)!;
  return [...section!.matchAll(/^( *)```sh\n([^]*?)^ *```$/gm)].map(([, indent, block]) =>
    block!.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

/** A terminal: one shell for all blocks, which ends with the first command that fails. */
function terminal(env: NodeJS.ProcessEnv): {
  run: (block: string) => Promise<void>;
  close: () => Promise<void>;
} {
  const shell = spawn('bash', ['-e'], { cwd: ROOT, env, detached: true, stdio: 'pipe' });
  const closed = once(shell, 'close');
  let said = '';
  for (const stream of [shell.stdout, shell.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  let blocks = 0;
  return {
    async run(block) {
      const end = `--- end of block ${++blocks} ---`;
      shell.stdin.write(`${block}\necho '${end}'\n`);
      await until(
        () => {
          assert.equal(shell.exitCode, null, `${block}\n${said}`);
          return said.includes(end);
        },
        () => `${block}\n${said}`,
        120_000,
      );
    },
    async close() {
      // The runner, too, when a block failed.
      try {
        process.kill(-shell.pid!, 'SIGKILL');
      } catch {
        // All have ended.
      }
      await closed;
    },
  };
}

describe('the recipe for a second table', () => {
  let shop: OpenMonolith;
  let own: TestDatabase;
  let service: pg.Pool;
  let cookie: string;
  let products: number[];
  before(async function () {
    this.timeout(60_000);
    shop = await openMonolith();
    own = await testDatabase();
    service = testPool(own.url);
    ({ cookie } = await shop.customer('ana@example.com'));
    products = [await shop.product('Lantern'), await shop.product('Tray'), await shop.product('Rug')];
  });
  after(async () => {
    await service?.end();
    await own?.drop();
    await shop?.close();
  });

  const review = (product: number, body: string): supertest.Test =>
    supertest(shop.app).post(`/products/${product}/reviews`).set('cookie', cookie).send({ stars: 4, body });
  const shown = async (): Promise<string[]> =>
    (
      await Promise.all(
        products.map((product) => supertest(shop.app).get(`/products/${product}/reviews`).expect(200)),
      )
    ).flatMap(({ body }) => body.map((one: { body: string }) => one.body));
  /** As the service writes: the id comes from its leases. */
  const reviewThere = (product: number, title: string, text: string): Promise<pg.QueryResult> =>
    service.query(
      `INSERT INTO customer_reviews (product_id, author_name, rating, title, text) VALUES ($1, 'Ben', 5, $2, $3)`,
      [product, title, text],
    );

  it('is true, word by word, while reviews are written', async function () {
    this.timeout(300_000);
    const { run, close } = terminal({
      ...process.env,
      PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`,
      DATABASE_URL: shop.url,
      REVIEWS_DATABASE_URL: own.url,
    });
    try {
      for (const product of products)
        for (let i = 0; i < 20; i += 1) await review(product, `Title ${i}\n\nText of ${product}`).expect(201);
      const blocks = recipe();
      assert.deepEqual([blocks.length, blocks.at(-1)!.includes('complete')], [7, true]);
      let there = 0;
      for (const block of blocks) {
        await run(block);
        if (/move start/.test(block)) {
          await review(products[0]!, 'While it is copied').expect(201);
          await assert.rejects(reviewThere(products[0]!, 'No', 'not yet'), { code: 'SK421' });
        } else if (/ramp reviews 100/.test(block)) {
          const refused = await review(products[1]!, 'Too late').expect(421);
          assert.match(refused.headers['strangler-home']!, /^reviews-api; epoch=\d+$/);
          await reviewThere(products[1]!, 'There', `number ${++there}`);
        } else if (/reverse/.test(block)) {
          await until(async () => (await shown()).includes('There\n\nnumber 1'), 'the review to come back');
          await review(products[1]!, 'And here\n\nagain').expect(201);
        }
      }
      const { rows } = await service.query<{ title: string; count: number }>(
        `SELECT title, count(*)::int AS count FROM customer_reviews WHERE title !~ '^Title' OR text ~ 'While' GROUP BY title ORDER BY title`,
      );
      assert.deepEqual(rows, [
        { title: 'And here', count: 1 },
        { title: 'There', count: 2 },
        { title: null, count: 1 },
      ]);
      const all = await service.query('SELECT FROM customer_reviews');
      assert.equal(all.rowCount, 20 * products.length + 4);
      await review(products[0]!, 'For ever').expect(421);
    } finally {
      await close();
    }
  });

  it('describes its move in fewer than 80 lines', () => {
    const text = readFileSync(join(ROOT, 'migrations/moves/reviews.ts'), 'utf8');
    assert.ok(text.split('\n').length < 80);
  });
});
