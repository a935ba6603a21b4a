import assert from 'node:assert/strict';
import supertest from 'supertest';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';

describe('login', () => {
  let shop: OpenMonolith;
  let cookie: string;
  before(async () => {
    shop = await openMonolith();
    ({ cookie } = await shop.customer('ana@example.com'));
  });
  after(() => shop?.close());
  const post = (path: string): supertest.Test => supertest(shop.app).post(path);
  const me = (cookie: string): supertest.Test => supertest(shop.app).get('/me').set('cookie', cookie);

  it('answers programs with the user and a cookie that scripts and other sites do not get', async () => {
    const response = await post('/login')
      .send({ email: ' Ana@Example.com ', password: 'secret' })
      .expect(200);
    const [set] = response.get('Set-Cookie') ?? [];
    assert.match(set!, /^sid=[^;]+; Max-Age=604800; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/);
    assert.equal(response.get('cache-control'), 'private, no-store');
    const { body } = await me(set!.split(';')[0]!).expect(200);
    assert.deepEqual(body, response.body);
    assert.deepEqual(Object.keys(body), ['id', 'email', 'name']);
  });

  it('is marked Secure when the browser came by https', async () => {
    const response = await post('/login')
      .set('x-forwarded-proto', 'https')
      .send({ email: 'ana@example.com', password: 'secret' })
      .expect(200);
    assert.match(response.get('Set-Cookie')![0]!, /; Secure/);
  });

  it('sends browsers on, within the shop only', async () => {
    for (const [next, location] of [
      ['/products/1?x=1', '/products/1?x=1'],
      ['//evil.example', '/'],
      ['/\\evil.example', '/'],
      ['https://evil.example', '/'],
      ['/a\r\nset-cookie: x=1', '/'],
      ['', '/'],
    ]) {
      const response = await post('/login')
        .type('form')
        .send({ email: 'ana@example.com', password: 'secret', next });
      assert.equal(response.status, 303);
      assert.equal(response.get('location'), location, next);
    }
  });

  it('says no in the same way to a wrong password and an unknown address', async () => {
    for (const email of ['ana@example.com', 'nobody@example.com']) {
      const json = await post('/login').send({ email, password: 'wrong' }).expect(401);
      assert.equal(json.type, 'application/problem+json');
      assert.equal(json.body.code, 'WRONG_PASSWORD');
      const page = await post('/login')
        .type('form')
        .set('accept', 'text/html')
        .send({ email, password: '<b>' });
      assert.equal(page.status, 401);
      assert.match(page.text, /role="alert"/);
      assert.equal(page.get('Set-Cookie'), undefined);
    }
  });

  it('refuses what is no login', async () => {
    for (const body of [
      {},
      { email: 'ana@example.com' },
      { email: ['ana@example.com'], password: 'secret' },
      { email: 'ana\0@example.com', password: 'secret' },
      { email: 'ana@example.com', password: 'x'.repeat(1001) },
    ])
      await post('/login').send(body).expect(400);
    await post('/login').type('json').send('{"email":').expect(400);
  });

  it('slows guessing down', async () => {
    await shop.customer('bob@example.com');
    const guess = (password: string): supertest.Test =>
      post('/login').send({ email: 'bob@example.com', password });
    for (let i = 0; i < 10; i++) await guess('wrong').expect(401);
    const response = await guess('secret').expect(429);
    assert.ok(Number(response.get('retry-after')) > 800);
  });

  it('logs out for good, also with a token that was kept', async () => {
    const { cookie } = await shop.customer('cleo@example.com');
    await me(cookie).expect(200);
    await post('/logout').set('cookie', cookie).expect(204);
    await me(cookie).expect(401);
    await post('/logout').expect(204);
    const form = await post('/logout').type('form').expect(303);
    assert.match(form.get('Set-Cookie')![0]!, /^sid=; Path=\/; Expires=Thu, 01 Jan 1970/);
  });

  it('takes no form of another site, and those of its own behind a proxy', async () => {
    const order = (origin: string, host: string): supertest.Test =>
      post('/logout').type('form').set({ host, origin, cookie });
    for (const origin of [
      'https://evil.example',
      'null',
      'http://shop.example.evil.example',
      'http://shop.example:81',
    ])
      await order(origin, 'shop.example').expect(403);
    await me(cookie).expect(200);
    await order('https://shop.example', 'Shop.Example:443').expect(303);
    await me(cookie).expect(401);
  });
});
