import assert from 'node:assert/strict';
import supertest from 'supertest';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';

describe('reviews', () => {
  let shop: OpenMonolith;
  let cookie: string;
  let path: string;
  before(async () => {
    shop = await openMonolith();
    ({ cookie } = await shop.customer('ana@example.com'));
    path = `/products/${await shop.product()}`;
  });
  after(() => shop?.close());
  const add = (body: object, to = `${path}/reviews`): supertest.Test =>
    supertest(shop.app).post(to).set('cookie', cookie).send(body);

  it('are written by who is logged in, and read by everybody, newest first', async () => {
    await supertest(shop.app).post(`${path}/reviews`).send({ stars: 5 }).expect(401);
    const first = await add({ stars: 4, body: 'Warm light\n\nEvery evening.' }).expect(201);
    assert.equal(first.headers['location'], `${path}/reviews`);
    const { id, createdAt } = first.body;
    assert.deepEqual(first.body, {
      id,
      author: 'A customer',
      stars: 4,
      body: 'Warm light\n\nEvery evening.',
      createdAt,
    });
    assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000);
    const second = await add({ stars: 1, unknown: 1 }).expect(201);
    const { body } = await supertest(shop.app).get(`${path}/reviews`).expect(200);
    assert.deepEqual(body, [second.body, first.body]);
  });

  it('are written by the form of the product’s page, which shows them as text', async () => {
    await add({}).type('form').send({ stars: '3', body: 'Fine\r\n\r\n<b>but</b> heavy' }).expect(303);
    const page = await supertest(shop.app).get(path).set({ accept: 'text/html', cookie }).expect(200);
    assert.match(page.text, /Fine\n\n&lt;b&gt;but&lt;\/b&gt; heavy/);
    assert.match(page.text, /3 of 5 stars/);
    assert.match(page.text, /<form method="post" action="\/products\/\d+\/reviews"/);
  });

  it('name every fault at once', async () => {
    const { body } = await add({ stars: 6, body: 'x'.repeat(4001) }).expect(400);
    assert.deepEqual(
      body.faults.map((fault: string) => fault.split(':')[0]),
      ['stars', 'body'],
    );
    for (const stars of [0, 1.5, '6', '', [3], null, undefined]) await add({ stars }).expect(400);
    await add({ stars: 1, body: 'a\0b' }).expect(400);
  });

  it('are of a product that is there', async () => {
    await add({ stars: 1 }, '/products/999/reviews').expect(404);
    await add({ stars: 1 }, '/products/x/reviews').expect(400);
    await supertest(shop.app).get('/products/999/reviews').expect(404);
  });
});
