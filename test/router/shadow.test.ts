import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import sharp from 'sharp';
import { drawing } from '../contract/pictures.ts';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { parityOf, settled, shadowedConfig } from '../support/shadowed.ts';

const json =
  (value: (request: IncomingMessage) => unknown, headers: Record<string, string> = {}) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value(request)));
  };

describe('shadowing', function () {
  this.timeout(60_000);
  let monolith: Upstream;
  let service: Upstream;
  let router: RouterProcess | undefined;
  beforeEach(async () => {
    monolith = await startUpstream('monolith');
    service = await startUpstream('image-api');
  });
  afterEach(async () => {
    await router?.stop();
    router = undefined;
    await monolith.close();
    await service.close();
  });
  const serve = async (stage: string, percent = 0, shadow?: string): Promise<RouterProcess> =>
    (router = await startRouter({
      yaml: shadowedConfig(monolith.url, service.url, shadow),
      flags: CANARY(percent, stage),
    }));
  const get = async (path: string, headers: Record<string, string> = {}): Promise<string> =>
    await (await fetch(router!.url + path, { headers })).text();

  it('repeats reads at the service and compares; a write is never repeated', async () => {
    monolith.handle = service.handle = json(() => ({ id: 7, tags: ['a', 'b'] }));
    const router = await serve('shadow');
    for (let id = 0; id < 8; id++)
      await get(`/images/${id}?w=100`, { 'x-user-id': 'ana', cookie: 'sid=one' });
    for (let id = 0; id < 8; id++)
      assert.equal((await fetch(`${router.url}/images`, { method: 'POST', body: 'x' })).status, 200);
    const { counts, dropped, mismatches } = await settled(router, 8);
    assert.deepEqual(counts, { match: 8, mismatch: 0, ignored: 0, incomparable: 0 });
    assert.equal(dropped, 0);
    assert.deepEqual(mismatches, []);
    assert.deepEqual(
      service.seen.toSorted(),
      Array.from({ length: 8 }, (_, id) => `GET /images/${id}?w=100`),
    );
    assert.equal(monolith.seen.filter((line) => line.startsWith('POST')).length, 8);
  });

  it('sends what the primary got, marked as a copy', async () => {
    const heads: IncomingMessage['headers'][] = [];
    service.handle = (request, response) => {
      heads.push(request.headers);
      response.end('monolith\n');
    };
    const router = await serve('shadow');
    const sent = {
      cookie: 'sid=one',
      authorization: 'Bearer abc',
      'x-tenant': 'blue',
      'strangler-shadow': '9',
    };
    await get('/images/1', sent);
    await settled(router, 1);
    const head = heads[0]!;
    assert.equal(head['strangler-shadow'], '1');
    assert.equal(head.cookie, 'sid=one');
    assert.equal(head.authorization, 'Bearer abc');
    assert.equal(head['x-tenant'], 'blue');
    assert.equal(head.host, new URL(router.url).host);
    assert.equal(head['x-forwarded-for'], '127.0.0.1');
  });

  it('goes in both directions in canary, and nowhere when the feature is killed, off or live', async () => {
    monolith.handle = service.handle = json(() => ({ id: 7 }));
    const router = await serve('canary', 100, '{ sample: 1, again: 0 }');
    await get('/images/1', { 'x-user-id': 'ana' });
    await settled(router, 1);
    assert.ok(monolith.seen.includes('GET /images/1') && service.seen.includes('GET /images/1'));
    assert.equal((await router.change('/images/split', { percent: 0 })).status, 200);
    await get('/images/2', { 'x-user-id': 'ana' });
    await settled(router, 2);
    assert.ok(monolith.seen.includes('GET /images/2') && service.seen.includes('GET /images/2'));
    assert.equal((await router.change('/images/kill', {})).status, 200);
    await get('/images/3', { 'x-user-id': 'ana' });
    assert.equal((await router.change('/images/resume', {})).status, 200);
    assert.equal((await router.change('/images/rollback', { to: 'off' })).status, 200);
    await get('/images/4', { 'x-user-id': 'ana' });
    await get('/images/5', { 'x-user-id': 'ana' });
    assert.equal((await router.change('/images/promote', {})).status, 200);
    await get('/images/6', { 'x-user-id': 'ana' });
    assert.equal((await settled(router, 3)).counts.match, 3);
    assert.deepEqual(
      service.seen.filter((line) => /[345]$/.test(line)),
      [],
    );
  });

  it('tells planted differences apart', async () => {
    const plain = json((request) => ({ id: request.url, price: 10, tags: ['a', 'b', 'c'] }));
    monolith.handle = plain;
    service.handle = (request, response) => {
      switch (request.url) {
        case '/images/status':
          response.statusCode = 404;
          return void response.end('{}');
        case '/images/header':
          return json((it) => ({ id: it.url, price: 10, tags: ['a', 'b', 'c'] }), {
            'cache-control': 'no-store',
          })(request, response);
        case '/images/field':
          return json((it) => ({ id: it.url, price: 11, tags: ['a', 'b', 'c'] }))(request, response);
        case '/images/order':
          return json((it) => ({ id: it.url, price: 10, tags: ['c', 'a', 'b'] }))(request, response);
        default:
          return plain(request, response);
      }
    };
    const router = await serve('shadow');
    for (const id of ['status', 'header', 'field', 'order', 'same']) await get(`/images/${id}`);
    const { counts, mismatches } = await settled(router, 5);
    assert.deepEqual(counts, { match: 1, mismatch: 4, ignored: 0, incomparable: 0 });
    const found = Object.fromEntries(mismatches.map((each) => [each.path, each]));
    const only = (id: string): unknown => {
      const { differences } = found[`/images/${id}`]!;
      assert.equal(differences.length, 1, JSON.stringify(differences));
      return differences[0];
    };
    assert.deepEqual(only('status'), { kind: 'status', where: 'status', primary: 200, shadow: 404 });
    assert.deepEqual(only('header'), { kind: 'header', where: 'header cache-control', shadow: 'no-store' });
    assert.deepEqual(only('field'), { kind: 'json', where: '$.price', primary: 10, shadow: 11 });
    assert.equal((only('order') as { kind: string }).kind, 'order');
    const cli = await router.cli('parity', 'images');
    assert.equal(cli.code, 0, cli.stderr);
    assert.match(cli.stdout, /\$\.price/);
    assert.equal((await router.cli('parity', 'images', '--check')).code, 1);
    const metrics = await (await fetch(`${router.adminUrl}/metrics`)).text();
    assert.match(metrics, /strangler_shadow_total\{feature="images",result="mismatch"\} 4/);
  });

  it('finds by itself that a date, an id in JSON and an id in a page are noise', async () => {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      response.setHeader('date', new Date(Date.now() + Math.random() * 1e9).toUTCString());
      response.setHeader('x-run', randomUUID());
      response.setHeader('x-served-by', 'any');
      if (request.url!.endsWith('page')) {
        response.setHeader('content-type', 'text/html');
        return void response.end(
          `<html><p>Same</p><meta name="csrf" content="${randomUUID()}"><p>Same</p></html>`,
        );
      }
      json(() => ({ id: 1, items: [{ trace: randomUUID() }, { trace: randomUUID() }] }))(request, response);
    };
    monolith.handle = service.handle = answer;
    const router = await serve('shadow', 0, '{ sample: 1, headers: all }');
    for (let round = 0; round < 10; round++) {
      await get('/images/1');
      await get('/images/page');
    }
    const { counts, droppedBy, mismatches } = await settled(router, 20);
    assert.deepEqual(
      counts,
      { match: 20, mismatch: 0, ignored: 0, incomparable: 0 },
      JSON.stringify([droppedBy, mismatches]),
    );
  });

  it('keeps no cookie and no credential, not even one that an answer repeats', async () => {
    const secrets = {
      cookie: 'sid=topsecretcookie; theme=verydark',
      authorization: 'Bearer verysecrettoken',
    };
    monolith.handle = json((request) => ({ got: request.headers, one: 1 }), {
      'set-cookie': 'a=freshsecret; Path=/',
    });
    service.handle = json((request) => ({ got: { ...request.headers, more: request.headers.cookie } }), {
      'set-cookie': 'a=othersecret; Path=/',
    });
    const router = await serve('shadow', 0, '{ sample: 1, headers: all, again: 0 }');
    for (let round = 0; round < 8; round++) await get('/images/1?access_token=querysecret&w=3', secrets);
    await settled(router, 8);
    const kept = JSON.stringify(await parityOf(router));
    assert.match(kept, /access_token=\[redacted\]&w=3/);
    for (const secret of [
      'topsecretcookie',
      'verydark',
      'verysecrettoken',
      'querysecret',
      'freshsecret',
      'othersecret',
    ])
      assert.ok(!kept.includes(secret), `${secret} in ${kept}`);
    assert.ok(!router.output().includes('topsecretcookie'));
  });

  it('compares pictures as people see them, and shows those that differ', async () => {
    const picture = await drawing(320, 240);
    const original = await picture.clone().jpeg({ quality: 90 }).toBuffer();
    const others: Record<string, Buffer> = {
      recompressed: await picture.clone().jpeg({ quality: 65 }).toBuffer(),
      rotated: await picture.clone().rotate(180).jpeg().toBuffer(),
      resized: await picture.clone().resize(300, 225).jpeg().toBuffer(),
      shifted: await sharp(await picture.clone().png().toBuffer())
        .extract({ left: 1, top: 0, width: 319, height: 240 })
        .extend({ right: 1, extendWith: 'copy' })
        .jpeg({ quality: 90 })
        .toBuffer(),
    };
    const answer =
      (bytes: (name: string) => Buffer) =>
      (request: IncomingMessage, response: ServerResponse): void => {
        response.writeHead(200, { 'content-type': 'image/jpeg' });
        response.end(bytes(request.url!.split('/').at(-1)!));
      };
    monolith.handle = answer(() => original);
    service.handle = answer((name) => others[name]!);
    const router = await serve('shadow', 0, '{ sample: 1, compare: image }');
    for (const name of Object.keys(others)) await get(`/images/${name}`);
    const { counts, mismatches } = await settled(router, 4);
    assert.deepEqual(
      counts,
      { match: 1, mismatch: 3, ignored: 0, incomparable: 0 },
      JSON.stringify(mismatches),
    );
    const found = Object.fromEntries(mismatches.map((each) => [each.path, each.differences[0]!.where]));
    assert.deepEqual(found, {
      '/images/rotated': 'image distance',
      '/images/resized': 'image width',
      '/images/shifted': 'image shift',
    });
    const authorization = `Bearer ${router.token}`;
    for (const url of Object.values(mismatches[0]!.images!)) {
      const response = await fetch(router.adminUrl + url, { headers: { authorization } });
      assert.equal(response.headers.get('content-type'), 'image/png');
      const { format, width } = await sharp(await response.arrayBuffer()).metadata();
      assert.ok(format === 'png' && width > 100 && width <= 512);
      assert.equal((await fetch(router.adminUrl + url)).status, 401);
    }
    assert.equal((await router.admin('/api/features/images/parity/..%2f..%2fx/primary')).status, 404);
    assert.equal((await router.admin('/api/features/none/parity')).status, 404);
  });
});
