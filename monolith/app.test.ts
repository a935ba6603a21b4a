import assert from 'node:assert/strict';
import supertest from 'supertest';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';

describe('the shop as a whole', () => {
  let shop: OpenMonolith;
  beforeEach(async () => {
    shop = await openMonolith();
  });
  afterEach(() => shop?.close());
  const get = (path: string, accept = '*/*'): supertest.Test =>
    supertest(shop.app).get(path).set('accept', accept);

  it('answers people with a page and programs with a problem', async () => {
    const program = await get('/nowhere').expect(404);
    assert.equal(program.type, 'application/problem+json');
    assert.deepEqual(JSON.parse(program.text), {
      type: 'about:blank',
      title: 'There is no such thing',
      status: 404,
      code: 'NOT_FOUND',
      detail: 'nothing is at /nowhere',
    });
    const person = await get('/<b>', 'text/html,application/xhtml+xml,*/*;q=0.8').expect(404);
    assert.equal(person.type, 'text/html');
    assert.ok(!person.text.includes('<b>'));
    for (const accept of ['image/*', 'application/problem+json', 'application/json,text/html;q=0.5'])
      assert.equal((await get('/nowhere', accept)).type, 'application/problem+json', accept);
  });

  it('lets nothing foreign into its pages', async () => {
    for (const path of ['/', '/login', '/nowhere', '/shop.css', '/livez']) {
      const { headers } = await get(path, 'text/html');
      assert.match(headers['content-security-policy']!, /^default-src 'none';/);
      assert.ok(!headers['content-security-policy']!.includes('unsafe'));
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['x-powered-by'], undefined);
    }
  });

  it('has an icon for every browser', async () => {
    for (const path of ['/favicon.svg', '/favicon.ico'])
      assert.equal((await get(path).expect(200)).type, 'image/svg+xml');
  });

  it('tells of an inner fault nothing but that it happened', async () => {
    await shop.pool.query('ALTER TABLE products RENAME TO hidden');
    const program = await get('/products').expect(500);
    assert.deepEqual(JSON.parse(program.text).detail, 'the error is in the log');
    const person = await get('/', 'text/html').expect(500);
    assert.ok(!/products|relation|at /.test(person.text.replace(/<[^>]+>/g, '').replace('at Nord', '')));
    assert.match(shop.errors[0]!, /relation "products" does not exist/);
  });

  it('says when it is ready, and that it is about to end', async () => {
    await get('/livez').expect(200);
    await get('/readyz').expect(200);
    shop.drain();
    const { headers } = await get('/readyz').expect(503);
    assert.equal(headers['connection'], 'close');
    await get('/livez').expect(200);
    await get('/login').expect(200);
  });

  it('is not ready without its database', async () => {
    await shop.pool.end();
    await get('/readyz').expect(503);
    await get('/livez').expect(200);
    // What afterEach ends again is this one.
    Object.assign(shop.pool, { end: async () => {} });
  });

  it('counts requests by route and status, not by path', async () => {
    for (const path of ['/products/1', '/products/2', '/nowhere']) await get(path).expect(404);
    const { text } = await get('/metrics').expect(200);
    assert.match(text, /^shop_requests_total\{method="GET",route="\/products\/:id",status="404"\} 2$/m);
    assert.match(text, /^shop_requests_total\{method="GET",route="none",status="404"\} 1$/m);
    assert.match(text, /^process_cpu_seconds_total /m);
  });
});
