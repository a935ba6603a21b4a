import assert from 'node:assert/strict';
import supertest from 'supertest';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';
import { jobOf } from './mail-job.ts';

describe('orders', () => {
  let shop: OpenMonolith;
  let cookie: string;
  let product: number;
  before(async () => {
    shop = await openMonolith();
    ({ cookie } = await shop.customer('ana@example.com'));
    product = await shop.product();
  });
  after(() => shop?.close());
  const order = (body: object, cookies = ''): supertest.Test =>
    supertest(shop.app).post('/orders').set('cookie', cookies).send(body);
  const get = (path: string, cookies = ''): supertest.Test =>
    supertest(shop.app).get(path).set('cookie', cookies);

  it('are taken from a customer, at the price of now, and wake the mail', async () => {
    const before = shop.wakes();
    const { body, headers } = await order(
      { product, quantity: 3, email: 'else@example.com', unknown: 1 },
      cookie,
    ).expect(201);
    assert.deepEqual(body, {
      id: body.id,
      product,
      productName: 'Lantern',
      quantity: 3,
      totalCents: 3750,
      currency: 'EUR',
      email: 'ana@example.com',
    });
    assert.equal(shop.wakes(), before + 1);
    assert.equal(headers['location']!, `/orders/${body.id}`);
    await shop.pool.query('UPDATE products SET price_cents = 9900 WHERE id = $1', [product]);
    const read = await get(headers['location']!, cookie).expect(200);
    await shop.pool.query('UPDATE products SET price_cents = 1250 WHERE id = $1', [product]);
    assert.deepEqual(read.body, body);
    assert.equal(read.get('cache-control'), 'private, no-store');
  });

  it('are shown to whose they are', async () => {
    const { headers } = await order({ product }, cookie).expect(201);
    const other = await shop.customer('eve@example.com');
    for (const cookies of ['', other.cookie]) {
      await get(headers['location']!, cookies).expect(404);
      await get(`${headers['location']!}?key=${shop.sessions.mark('order 1')}`, cookies).expect(404);
    }
  });

  it('of somebody unknown are shown by their link only', async () => {
    const { body, headers } = await order({ product, quantity: '2', email: 'guest@example.com' }).expect(201);
    assert.match(headers['location']!, /^\/orders\/\d+\?key=[\w-]{22}$/);
    assert.deepEqual((await get(headers['location']!).expect(200)).body, body);
    const next = await order({ product, email: 'guest@example.com' }).expect(201);
    const key = new URL(headers['location']!, 'http://shop').searchParams.get('key')!;
    for (const path of [
      `/orders/${body.id}`,
      `/orders/${body.id}?key=`,
      `/orders/${body.id}?key=${'x'.repeat(22)}`,
      `/orders/${body.id}?key=${'é'.repeat(22)}`,
      `/orders/${body.id}?key=${key}&key=${key}`,
      `/orders/${next.body.id}?key=${key}`,
    ])
      await get(path).expect(404);
    await get(`/orders/${body.id}`, cookie).expect(404);
  });

  it('by a form lead to a page with the thanks', async () => {
    const { headers } = await order({})
      .type('form')
      .send(`product=${product}&quantity=1&email=a%40example.com`)
      .expect(303);
    const page = await get(headers['location']!).set('accept', 'text/html').expect(200);
    assert.match(page.text, /a@example\.com/);
    assert.match(page.text, /€12\.50/);
  });

  it('are taken with no address but such as a mail job may have: they must not depend on who sends the mail', async () => {
    const facts = { id: '1', quantity: 1, product: 'x', totalCents: 1, currency: 'EUR' };
    for (const email of [
      `a@${'b.'.repeat(122)}example`,
      `${'a'.repeat(64)}@b.example`,
      'jürgen@bücher.example',
    ]) {
      await order({ product, email }).expect(201);
      assert.equal(jobOf(facts, email, true).to, email);
    }
  });

  for (const [what, body, faults] of [
    ['no address', { product: 1 }, ['email']],
    ['two addresses', { product: 1, email: 'a@example.com, b@example.com' }, ['email']],
    ['a line break', { product: 1, email: 'a@example.com\r\nBcc: b@example.com' }, ['email']],
    ['a NUL', { product: 1, email: 'a\0@example.com' }, ['email']],
    ['what can not be seen', { product: 1, email: 'a\u200b@example.com' }, ['email']],
    ['a name with an address', { product: 1, email: 'A <a@example.com>' }, ['email']],
    ['no product', { email: 'a@example.com' }, ['product']],
    ['a list as a product', { product: [1], email: 'a@example.com' }, ['product']],
    ['a fraction as a product', { product: 1.5, email: 'a@example.com' }, ['product']],
    ['none of it', { product: 1, quantity: 0, email: 'a@example.com' }, ['quantity']],
    ['too many', { product: 1, quantity: 1001, email: 'a@example.com' }, ['quantity']],
    ['a hexadecimal number', { product: 1, quantity: '0x10', email: 'a@example.com' }, ['quantity']],
    ['nothing right', { product: 'x', quantity: null, email: 7 }, ['product', 'quantity', 'email']],
  ] as const)
    it(`refuse ${what}`, async () => {
      const { body: problem } = await order(body).expect(400);
      assert.deepEqual(
        problem.faults.map((fault: string) => fault.split(':')[0]),
        faults,
      );
    });

  it('of what the shop does not have are refused', async () => {
    const count = async (): Promise<number | null> => (await shop.pool.query('SELECT FROM orders')).rowCount;
    const before = await count();
    await order({ product: 4_000_000, email: 'a@example.com' }).expect(404);
    assert.equal(await count(), before);
  });

  it('with ids that are none answer 400', async () => {
    for (const id of ['0', 'x', '9223372036854775808']) await get(`/orders/${id}`).expect(400);
  });
});
