import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { SignJWT, exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import supertest from 'supertest';
import { until } from '../../test/support/until.ts';
import { problems } from './problem.ts';
import { checkSessions, type SessionCheck } from './session.ts';

interface Key {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

async function key(kid: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

const token = (
  { privateKey, jwk }: Key,
  jti: string,
  claims: object = {},
  issuer = 'shop',
  lasting = '1h',
): Promise<string> =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: jwk.kid! })
    .setIssuer(issuer)
    .setSubject('1')
    .setJti(jti)
    .setIssuedAt()
    .setExpirationTime(lasting)
    .sign(privateKey);

describe('sessions of the shop', () => {
  let shop: Server;
  let port = 0;
  let first: Key;
  let keys: Key[];
  let ended: string[] | null;
  let asked: { url: string; tag: string | undefined }[];
  let checks: SessionCheck[];
  let warnings: string[];

  beforeEach(async () => {
    first ??= await key('one');
    [keys, ended, asked, checks, warnings] = [[first], [], [], [], []];
    // Speaks as the shop does, on a port of its own.
    shop = createServer(
      express()
        .use((request, _response, next) => {
          asked.push({ url: request.url, tag: request.get('if-none-match') });
          next();
        })
        .get('/.well-known/jwks.json', (_request, response) => {
          response.json({ keys: keys.map(({ jwk }) => jwk) });
        })
        .get('/.well-known/revoked-sessions', (_request, response) => {
          if (ended) response.json({ revoked: ended.map((jti) => ({ jti, exp: 1 })) });
          else response.status(500).end();
        }),
    ).listen(0, '127.0.0.1');
    await once(shop, 'listening');
    ({ port } = shop.address() as AddressInfo);
  });
  afterEach(async () => {
    for (const check of checks) check.stop();
    await down();
  });
  async function down(): Promise<void> {
    if (!shop.listening) return;
    shop.closeAllConnections();
    await once(shop.close(), 'close');
  }
  function guarded(): (cookie?: string) => Promise<number> {
    const check = checkSessions({
      shopUrl: `http://127.0.0.1:${port}`,
      log: { warn: (_entry: object, text?: string) => warnings.push(text ?? '') },
      pollEvery: 20,
      patience: 1000,
    });
    checks.push(check);
    const app = express()
      .get('/', check.require, (_request, response) => void response.end('in'))
      .use(problems({ error: () => assert.fail('nothing here is an unexpected error') }));
    return async (cookie) =>
      (
        await supertest(app)
          .get('/')
          .set(cookie === undefined ? {} : { cookie })
      ).status;
  }

  it('let in who has a token of the shop, wherever the cookie stands', async () => {
    const status = guarded();
    const good = await token(first, 'a');
    for (const cookie of [`sid=${good}`, `a=b; sid=${good}`, `a=b;sid=${good};c=d`])
      assert.equal(await status(cookie), 200, cookie);
  });

  it('keep out everybody else', async () => {
    const status = guarded();
    const good = await token(first, 'a');
    const [head, body] = good.split('.');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    for (const cookie of [
      undefined,
      'sid=',
      `xsid=${good}`,
      'sid=x.y.z',
      `sid=${good}x`,
      `sid=${head}.${body}.`,
      `sid=${none}.${body}.`,
      `sid=${await token(await key('one'), 'a')}`,
      `sid=${await token(first, 'a', {}, 'another')}`,
      `sid=${await token(first, 'a', { exp: 1 })}x`,
    ])
      assert.equal(await status(cookie), 401, cookie);
  });

  it('end here soon after they ended at the shop', async () => {
    const status = guarded();
    const [one, other] = [await token(first, 'one'), await token(first, 'other')];
    assert.equal(await status(`sid=${one}`), 200);
    ended!.push('one');
    await until(async () => (await status(`sid=${one}`)) === 401, 'the logout to count');
    assert.equal(await status(`sid=${other}`), 200);
  });

  it('end when they expire, also those that were good a moment ago', async () => {
    const enter = guarded();
    const short = `sid=${await token(first, 'short', {}, 'shop', '2s')}`;
    assert.equal(await enter(short), 200);
    await until(async () => (await enter(short)) === 401, 'the token expires');
  });

  it('are known to have ended from the first request on', async () => {
    ended!.push('one');
    assert.equal(await guarded()(`sid=${await token(first, 'one')}`), 401);
  });

  it('hold while the shop is down, and no stranger gets in', async () => {
    const status = guarded();
    ended!.push('gone');
    const [good, gone] = [await token(first, 'good'), await token(first, 'gone')];
    assert.equal(await status(`sid=${good}`), 200);
    await until(async () => (await status(`sid=${gone}`)) === 401, 'the logout to count');
    await down();
    await until(() => warnings.length > 0, 'the shop to be missed');
    assert.equal(await status(`sid=${good}`), 200);
    assert.equal(await status(`sid=${gone}`), 401);
    assert.equal(await status(`sid=${good}x`), 401);
    assert.equal(warnings.length, 1, 'it is said once');
  });

  it('can not be judged while nobody knows which have ended', async () => {
    ended = null;
    const status = guarded();
    const good = await token(first, 'good');
    assert.equal(await status(`sid=${good}`), 503);
    ended = [];
    await until(async () => (await status(`sid=${good}`)) === 200, 'the list');
  });

  it('can not be judged before the shop was there, and can as soon as it is', async () => {
    await down();
    const status = guarded();
    const good = await token(first, 'good');
    assert.equal(await status(`sid=${good}`), 503);
    assert.equal(await status(), 401);
    shop.listen(port, '127.0.0.1');
    await once(shop, 'listening');
    await until(async () => (await status(`sid=${good}`)) === 200, 'the shop to be noticed');
  });

  it('may be signed with a key that is new', async () => {
    const status = guarded();
    assert.equal(await status(`sid=${await token(first, 'a')}`), 200);
    const second = await key('two');
    keys.push(second);
    const good = await token(second, 'b');
    await until(async () => (await status(`sid=${good}`)) === 200, 'the new key');
  });

  it('are asked for only when somebody comes, and not sent again while nothing changed', async () => {
    const status = guarded();
    await until(() => asked.filter(({ tag }) => tag !== undefined).length > 2, 'conditional requests');
    assert.ok(asked.every(({ url }) => url === '/.well-known/revoked-sessions'));
    const good = await token(first, 'a');
    for (let i = 0; i < 3; i++) assert.equal(await status(`sid=${good}`), 200);
    assert.equal(asked.filter(({ url }) => url === '/.well-known/jwks.json').length, 1);
  });
});
