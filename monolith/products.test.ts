import assert from 'node:assert/strict';
import supertest from 'supertest';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';
import { isId } from './products.ts';

describe('products', () => {
  let shop: OpenMonolith;
  let cookie: string;
  before(async () => {
    shop = await openMonolith();
    ({ cookie } = await shop.customer('ana@example.com'));
  });
  after(() => shop?.close());
  const get = (path: string, accept = 'application/json'): supertest.Test =>
    supertest(shop.app).get(path).set('accept', accept);
  const add = (body: object): supertest.Test =>
    supertest(shop.app).post('/products').set('cookie', cookie).send(body);

  it('are added by who is logged in, and shown as JSON', async () => {
    const product = { name: 'Oak tray', description: 'Oiled.', priceCents: 4900 };
    await supertest(shop.app).post('/products').send(product).expect(401);
    const { body, headers } = await add({ ...product, unknown: 1 }).expect(201);
    assert.deepEqual(body, { id: body.id, ...product, currency: 'EUR', images: [] });
    assert.equal(headers['location'], `/products/${body.id}`);
    assert.deepEqual((await get(headers['location']).expect(200)).body, body);
    assert.ok((await get('/products').expect(200)).body.some(({ id }: { id: number }) => id === body.id));
  });

  it('are added by a form', async () => {
    const response = await add({}).type('form').send('name=Tray&priceCents=100').expect(303);
    assert.match(response.get('location')!, /^\/products\/\d+$/);
  });

  it('name every fault at once', async () => {
    const { body, type } = await add({ name: ' ', priceCents: 1.5, currency: 'euro', description: 7 }).expect(
      400,
    );
    assert.equal(type, 'application/problem+json');
    assert.deepEqual(
      body.faults.map((fault: string) => fault.split(':')[0]),
      ['name', 'description', 'priceCents', 'currency'],
    );
    assert.match(body.detail, /priceCents: a whole number/);
  });

  for (const [what, body] of Object.entries({
    'a NUL': { name: 'a\0b', priceCents: 1 },
    'a price as a word': { name: 'a', priceCents: 'free' },
    'a negative price': { name: 'a', priceCents: -1 },
    'a price beyond the column': { name: 'a', priceCents: 2 ** 31 },
    'a long name': { name: 'a'.repeat(201), priceCents: 1 },
    'a name that is a list': { name: ['a'], priceCents: 1 },
    nothing: {},
  }))
    it(`refuse ${what}`, async () => void (await add(body).expect(400)));

  it('refuse a body that is too long, or no JSON', async () => {
    await add({ name: 'a', description: 'x'.repeat(110_000), priceCents: 1 }).expect(413);
    await supertest(shop.app).post('/products').set('cookie', cookie).type('text').send('name=a').expect(400);
    await supertest(shop.app).post('/products').set('cookie', cookie).type('json').send('[').expect(400);
  });

  it('answer 404 for ids nobody has and 400 for what is none', async () => {
    for (const id of ['4611686018427387904', '9223372036854775807']) await get(`/products/${id}`).expect(404);
    for (const id of ['0', '-1', '1e3', '01', 'x', '1.5', '9223372036854775808', '%20', '%00'])
      await get(`/products/${id}`).expect(400);
    await get('/products/%ff').expect(400);
  });

  it('show browsers a page that is the same each time and carries no markup of others', async () => {
    const { body } = await add({
      name: '<script>x</script>',
      description: '"&<',
      priceCents: 123_456,
    }).expect(201);
    for (const path of ['/', '/products', `/products/${body.id}`]) {
      const [first, second] = [await get(path, 'text/html'), await get(path, 'text/html')];
      assert.equal(first.status, 200);
      assert.equal(first.type, 'text/html');
      assert.equal(first.text, second.text);
      assert.match(first.get('cache-control')!, /private, no-store/);
      assert.ok(!first.text.includes('<script'), path);
      assert.ok(first.text.includes('€1,234.56'), path);
      assert.ok(!/ style=| on\w+=/.test(first.text), 'nothing inline');
    }
  });

  it('offer the upload to who is logged in only', async () => {
    const path = `/products/${await shop.product()}`;
    assert.ok(!(await get(path, 'text/html')).text.includes('multipart'));
    assert.match(
      (await get(path, 'text/html').set('cookie', cookie)).text,
      /action="\/products\/\d+\/images" enctype="multipart\/form-data"/,
    );
  });

  it('have ids as the database makes them', () => {
    for (const id of ['1', '9223372036854775807']) assert.ok(isId(id));
    for (const id of ['', '0', '-1', '1 ', '9223372036854775808', '10000000000000000000'])
      assert.ok(!isId(id), id);
  });

  it('show pictures in the size that fits, with room for them, and those below only when they are near', async () => {
    const { body } = await add({ name: 'Bowl', priceCents: 100 }).expect(201);
    for (let n = 0; n < 2; n++)
      await shop.pool.query(
        "INSERT INTO images (product_id, file, content_type, bytes, width, height, sha256, alt) VALUES ($1, $2, 'image/jpeg', 1, 8, 6, repeat('a', 64), 'A bowl')",
        [body.id, `products/${body.id}/${n}.jpeg`],
      );
    const { text } = await get(`/products/${body.id}`, 'text/html').expect(200);
    const pictures = text.match(/<img[^>]*>/g)!;
    assert.equal(pictures.length, 2);
    for (const picture of pictures) {
      const widths = [.../w=(\d+)&amp;h=\d+&amp;fit=cover&amp;format=auto (\d+)w/g[Symbol.matchAll](picture)];
      assert.ok(widths.length >= 3);
      for (const [, asked, said] of widths) assert.equal(asked, said);
      assert.match(picture, / sizes="[^"]+" width="480" height="360" alt="A bowl"/);
    }
    assert.deepEqual(
      pictures.map((picture) => picture.includes('loading="lazy"')),
      [false, true],
    );
  });
});
