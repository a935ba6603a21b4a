import assert from 'node:assert/strict';
import { request } from 'node:http';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../test/support/until.ts';
import { signOverride } from '../request/override.ts';
import { flagsOf, raw, startService, startShop, yamlOf, type Service, type Shop } from './testbed.ts';

describe('strangle(): who answers', () => {
  let service: Service;
  let shop: Shop;
  beforeEach(async () => {
    service = await startService();
    shop = await startShop({
      yaml: yamlOf(service.url),
      flags: flagsOf(100),
      env: { STRANGLER_OVERRIDE_KEY: 'k' },
    });
  });
  afterEach(async () => {
    await shop.close();
    await service.close();
  });
  const ask = async (
    path: string,
    headers: Record<string, string> = { 'x-user-id': 'ana' },
    init: RequestInit = {},
  ): Promise<{ status: number; text: string; headers: Headers }> => {
    const response = await fetch(shop.url + path, { headers, redirect: 'manual', ...init });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  const by = async (path = '/images/1', headers?: Record<string, string>): Promise<string> =>
    (await ask(path, headers)).text;

  it('leaves writes of rows that move to a router: their bodies may have to be sent again', async () => {
    await shop.close();
    const yaml = yamlOf(service.url)
      .replace('flag: images', 'flag: images\n    data: moving')
      .replace('PUT /images/{id}", effect: write', 'PUT /images/{id}", effect: write, entity: id')
      .replace('DELETE /images/{id}", effect: write', 'DELETE /images/{id}", effect: write, entity: id');
    shop = await startShop({ yaml, flags: flagsOf(100) });
    const { status, text } = await ask('/images/1', { 'x-user-id': 'ana' }, { method: 'DELETE' });
    assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [501, 'MOVING_NEEDS_ROUTER']);
    assert.equal(await by(), 'service');
    assert.deepEqual([shop.seen, service.seen.length], [[], 1]);
  });

  it('carries a feature to its service, leaves the rest and the keyless to the monolith', async () => {
    assert.equal(await by(), 'service');
    assert.equal(await by('/images/1', {}), 'monolith');
    assert.equal(await by('/cart?q=1'), 'monolith');
    assert.equal(shop.seen.at(-1)!.url, '/cart?q=1');
    assert.equal((await ask('/cart')).headers.get('server-timing'), null);
    assert.match(
      (await ask('/images/1')).headers.get('server-timing')!,
      /^strangler;desc="image-api, canary 100 %"$/,
    );
    assert.match((await ask('/images/1', {})).headers.get('server-timing')!, /desc="monolith, canary 100 %"/);
  });

  it('splits by the key like the router: the same keys each time, more only add', async () => {
    const inside = async (percent: number): Promise<string[]> => {
      shop.writeFlags(flagsOf(percent));
      shop.split.reload();
      const keys: string[] = [];
      for (let i = 0; i < 150; i++)
        if ((await by('/images/1', { 'x-user-id': `k${i}` })) === 'service') keys.push(`k${i}`);
      return keys;
    };
    const ten = await inside(10);
    const half = await inside(50);
    assert.ok(
      ten.length > 2 && ten.length < 40 && half.length > 45 && half.length < 110,
      `${ten.length} ${half.length}`,
    );
    assert.ok(ten.every((key) => half.includes(key)));
    assert.deepEqual(await inside(10), ten);
  });

  it('follows the files by itself, keeps the last good flags, obeys DISABLED and the kills of DATA_DIR', async () => {
    shop.writeFlags(flagsOf(0));
    await until(async () => (await by()) === 'monolith', 'the new flags');
    shop.writeFlags(flagsOf(100));
    await until(async () => (await by()) === 'service', 'the flags from before');
    shop.writeFlags('{"flags":');
    await until(() => shop.warnings.length > 0, 'the warning');
    assert.equal(await by(), 'service');
    shop.writeFlags(flagsOf(100, 'canary', 'DISABLED'));
    await until(async () => (await by()) === 'monolith', 'the kill switch');
    shop.writeFlags(flagsOf(100));
    await until(async () => (await by()) === 'service', 'its release');
    const state = join(shop.dir, '.data');
    mkdirSync(state);
    writeFileSync(join(state, 'kills.json'), '{"images":{"who":"ops","why":"test","at":"now"}}');
    await until(async () => (await by()) === 'monolith', 'the kill of the state folder');
    rmSync(join(state, 'kills.json'));
    await until(async () => (await by()) === 'service', 'its end');
  }).timeout(30_000);

  it('takes another service from a changed config', async () => {
    const second = await startService();
    second.handle = (_req, res) => void res.end('second');
    try {
      writeFileSync(join(shop.dir, 'strangler.yaml'), yamlOf(second.url));
      await until(async () => (await by()) === 'second', 'the new service');
      writeFileSync(join(shop.dir, 'strangler.yaml'), 'nonsense: true');
      await until(() => shop.warnings.length > 0, 'the warning');
      assert.equal(await by(), 'second');
    } finally {
      await second.close();
    }
  }).timeout(30_000);

  it('issues a key on private pages of the monolith only', async () => {
    assert.match(
      (await ask('/page', {})).headers.getSetCookie()[0]!,
      /^strangler_id=[\w-]{36}; Path=\/;.*HttpOnly/,
    );
    assert.deepEqual((await ask('/public', {})).headers.getSetCookie(), []);
    assert.deepEqual((await ask('/page', { cookie: 'strangler_id=x' })).headers.getSetCookie(), []);
    assert.equal(await by('/images/1', { cookie: 'strangler_id=x' }), 'service');
  });

  it('obeys a signed override and shows it to nobody', async () => {
    shop.writeFlags(flagsOf(0));
    shop.split.reload();
    const token = signOverride(
      { feature: 'images', upstream: 'image-api', expires: Math.floor(Date.now() / 1000) + 60 },
      'k',
    );
    const cookie = `a=1; strangler_override=${token}; b=2`;
    assert.equal(await by('/images/1', { cookie }), 'service');
    assert.equal(service.seen[0]!.headers.cookie, 'a=1; b=2');
    assert.equal(await by('/images/1', { 'strangler-override': token }), 'service');
    assert.equal(await by('/images/1', { cookie: `${cookie.replace(token, `${token}x`)}` }), 'monolith');
    assert.equal(await by('/cart', { cookie, 'strangler-x': '1', 'strangler-override': token }), 'monolith');
    for (const text of [JSON.stringify(shop.seen), JSON.stringify(service.seen)])
      assert.doesNotMatch(text, /strangler[-_](?:override|x)/i);
    assert.equal(shop.seen.at(-1)!.headers.cookie, 'a=1; b=2');
  });

  it('decides on one path, and both sides get that path', async () => {
    const send = (target: string, host = 'shop'): Promise<string> =>
      raw(
        shop.port,
        `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nX-User-Id: ana\r\nConnection: close\r\n\r\n`,
      );
    for (const target of ['/%69mages/1?q=%2f', '/x/../images/1?q=%2f', 'http://shop.test/images/1?q=%2f']) {
      assert.match(await send(target), /\r\n\r\n(?:.*\r\n)?service/, target);
      assert.equal(service.seen.at(-1)!.url, '/images/1?q=%2f', target);
    }
    assert.equal(service.seen.at(-1)!.headers.host, 'shop.test');
    for (const target of ['/images%2f1', '//images/1', '/x/..;/images/1', '/images\\1'])
      assert.match(await send(target), /^HTTP\/1\.1 400 [^]*AMBIGUOUS_PATH/, target);
    assert.match(await send('/images/../cart'), /monolith$/);
    assert.equal(shop.seen.at(-1)!.url, '/cart');
    assert.match(await send('/cart%2f1'), /monolith$/);
    assert.equal(shop.seen.at(-1)!.url, '/cart%2f1');
    assert.match(await send('/images/1', 'a b'), /^HTTP\/1\.1 400 [^]*"HOST"/);
    assert.equal(service.seen.length, 3);
  });

  it('says what is wrong with the application around it', async () => {
    const eating = await startShop({
      yaml: yamlOf(service.url),
      flags: flagsOf(100),
      before: (app) => void app.use((req, _res, next) => void req.resume().once('end', () => next())),
    });
    const mounted = await startShop({ yaml: yamlOf(service.url), flags: flagsOf(100), at: '/images' });
    try {
      const init = { method: 'POST', body: 'x', headers: { 'x-user-id': 'ana' } };
      const refused = await fetch(`${eating.url}/images`, init);
      assert.equal(refused.status, 500);
      assert.match(await refused.text(), /MisplacedError.*before body parsers/);
      assert.equal(
        await (await fetch(`${eating.url}/images/1`, { headers: init.headers })).text(),
        'service',
      );
      assert.match(
        await (await fetch(`${mounted.url}/images/1`)).text(),
        /MisplacedError.*mount it at the root/,
      );
      assert.equal(service.seen.length, 1);
    } finally {
      await eating.close();
      await mounted.close();
    }
    await assert.rejects(startShop({ yaml: 'default: x', flags: '{}' }), /strangler\.yaml:\d+: /);
  });

  it('opens no port and keeps no state of its own', async () => {
    await by();
    assert.throws(() => rmSync(join(shop.dir, '.data')), { code: 'ENOENT' });
    const answer = await new Promise<number>((done, fail) =>
      request(shop.url, { method: 'OPTIONS', path: '*' }, (res) => done(res.resume().statusCode!))
        .on('error', fail)
        .end(),
    );
    assert.equal(answer, 200);
  });
});
