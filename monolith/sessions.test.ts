import assert from 'node:assert/strict';
import { SignJWT, createLocalJWKSet, generateKeyPair, jwtVerify } from 'jose';
import supertest from 'supertest';
import { testPool } from '../test/support/postgres.ts';
import { openMonolith, type OpenMonolith } from '../test/support/monolith.ts';
import { checkPassword, cookie, hashPassword, openSessions } from './sessions.ts';

describe('sessions', () => {
  let shop: OpenMonolith;
  before(async () => {
    shop = await openMonolith();
  });
  after(() => shop?.close());

  it('publishes a key set with which others check a token, and nothing secret', async () => {
    const { cookie, id } = await shop.customer('ana@example.com');
    const { body, headers } = await supertest(shop.app).get('/.well-known/jwks.json').expect(200);
    assert.match(headers['cache-control']!, /public/);
    assert.deepEqual(Object.keys(body.keys[0]).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    const { payload } = await jwtVerify(cookie.slice(4), createLocalJWKSet(body), { algorithms: ['ES256'] });
    assert.equal(payload.sub, id);
    assert.equal(payload['email'], 'ana@example.com');
    assert.equal(payload.exp! - payload.iat!, 7 * 24 * 3600);
  });

  it('publishes ended sessions until their token ends, with a tag', async () => {
    const { cookie } = await shop.customer('bob@example.com');
    await shop.pool.query(`INSERT INTO revoked_sessions VALUES ('old', now() - interval '1 second')`);
    await supertest(shop.app).post('/logout').set('cookie', cookie).expect(204);
    const { body, headers } = await supertest(shop.app).get('/.well-known/revoked-sessions').expect(200);
    assert.equal(body.revoked.length, 1);
    assert.ok(body.revoked[0].exp > Date.now() / 1000);
    const { rows } = await shop.pool.query(`SELECT FROM revoked_sessions WHERE jti = 'old'`);
    assert.equal(rows.length, 0, 'expired ones go');
    await supertest(shop.app)
      .get('/.well-known/revoked-sessions')
      .set('if-none-match', headers['etag']!)
      .expect(304);
  });

  it('believes no token that it did not sign', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const { kid } = shop.sessions.keySet().keys[0]!;
    const claims = new SignJWT({ email: 'x', name: 'x' })
      .setIssuer('shop')
      .setSubject('1')
      .setJti('x')
      .setExpirationTime('1h');
    const foreign = await claims.setProtectedHeader({ alg: 'ES256', kid: kid! }).sign(privateKey);
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${foreign.split('.')[1]}.`;
    for (const token of [foreign, unsigned, 'x', '', '..'])
      await supertest(shop.app).get('/me').set('cookie', `sid=${token}`).expect(401);
  });

  it('has one key, however many shops start at once', async () => {
    for (let round = 0; round < 5; round++) {
      await shop.pool.query('DELETE FROM signing_keys');
      const pools = [...Array(4).keys()].map(() => testPool(shop.url, 2));
      try {
        const kids = await Promise.all(
          pools.map(async (pool) => (await openSessions(pool)).keySet().keys[0]!.kid),
        );
        assert.equal(new Set(kids).size, 1);
        assert.equal((await shop.pool.query('SELECT FROM signing_keys')).rowCount, 1);
      } finally {
        await Promise.all(pools.map((pool) => pool.end()));
      }
    }
  });

  it('makes marks that differ by purpose and stay', () => {
    assert.equal(shop.sessions.mark('order 1'), shop.sessions.mark('order 1'));
    assert.notEqual(shop.sessions.mark('order 1'), shop.sessions.mark('order 2'));
    assert.match(shop.sessions.mark('order 1'), /^[\w-]{22}$/);
  });

  it('checks passwords', async () => {
    const stored = await hashPassword('demo', 'ab12');
    assert.equal(await checkPassword('demo', stored), true);
    assert.equal(await checkPassword('Demo', stored), false);
    assert.equal(await checkPassword('', null), false);
  });

  it('finds a cookie by its whole name', () => {
    assert.equal(cookie('xsid=1; sid=2; sid2=3', 'sid'), '2');
    assert.equal(cookie('xsid=1', 'sid'), undefined);
    assert.equal(cookie(undefined, 'sid'), undefined);
  });
});
