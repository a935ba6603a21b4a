import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CANARY,
  runCli,
  startRouter,
  startUpstream,
  untilStatus,
  type RouterProcess,
  type Upstream,
} from '../support/router.ts';

const yaml = (monolith: string, service: string): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "${service}" } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }, { cookie: sid, claim: sub }, { issue: strangler_id }]
    override: { header: strangler-override, cookie: strangler_override }
    routes:
      - { match: "GET /images/{id}", effect: read }
      - { match: "GET /products/{product}/images", effect: read }
      - { match: "POST /products/{product}/images", effect: write, maxBody: 1KiB }
`;

describe('the router between two upstreams', function () {
  this.timeout(60_000);
  let monolith: Upstream;
  let service: Upstream;
  let router: RouterProcess;
  before(async () => {
    monolith = await startUpstream('monolith');
    service = await startUpstream('image-api');
    router = await startRouter({
      yaml: yaml(monolith.url, service.url),
      flags: CANARY(10),
      env: { STRANGLER_OVERRIDE_KEY: 'k' },
    });
  });
  after(async () => {
    await router.stop();
    await Promise.all([monolith.close(), service.close()]);
  });

  const ask = async (
    path: string,
    init: RequestInit = {},
    base = router.url,
  ): Promise<{ status: number; by: string | null; headers: Headers }> => {
    const response = await fetch(base + path, init);
    await response.arrayBuffer();
    return { status: response.status, by: response.headers.get('x-served-by'), headers: response.headers };
  };
  const sideOf = async (key: string, path = '/images/1', base = router.url): Promise<string | null> =>
    (await ask(path, { headers: { 'x-user-id': key } }, base)).by;
  const keysIn = async (count: number, base = router.url): Promise<Set<string>> => {
    const inside = new Set<string>();
    for (let from = 0; from < count; from += 100) {
      await Promise.all(
        [...Array(100).keys()].map(
          async (i) =>
            (await sideOf(`key-${from + i}`, '/images/1', base)) === 'image-api' &&
            inside.add(`key-${from + i}`),
        ),
      );
    }
    return inside;
  };

  it('puts a tenth of the keys on the service; the same ones on every router and route, and more only add', async () => {
    const ten = await keysIn(3000);
    assert.ok(ten.size > 240 && ten.size < 360, `${ten.size} of 3000`);
    const second = await startRouter({ yaml: yaml(monolith.url, service.url), flags: CANARY(10) });
    try {
      assert.deepEqual(await keysIn(3000, second.url), ten);
    } finally {
      await second.stop();
    }
    for (const key of [...ten].slice(0, 20))
      assert.equal(await sideOf(key, '/products/3/images'), 'image-api');
    assert.equal((await router.change('/images/split', { percent: 20 })).status, 200);
    const twenty = await keysIn(3000);
    assert.ok([...ten].every((key) => twenty.has(key)) && twenty.size > ten.size);
    await router.change('/images/split', { percent: 10 });
  });

  it('sends everything else to the default upstream as it came', async () => {
    const { by, headers } = await ask('/about?q=1');
    assert.equal(by, 'monolith');
    assert.equal(headers.get('server-timing'), null);
    assert.ok(monolith.seen.includes('GET /about?q=1'));
  });

  it('issues a key on private pages only', async () => {
    const answerWith = (type: string, cache: string): void => {
      monolith.handle = (_request, response) =>
        response.writeHead(200, { 'content-type': type, 'cache-control': cache }).end('x');
    };
    for (const [type, cache, expected] of [
      ['text/html; charset=utf-8', 'private, no-store', true],
      ['text/html', 'no-store', true],
      ['text/html', 'public, max-age=9', false],
      ['image/png', 'private', false],
      ['text/html', '', false],
    ] as const) {
      answerWith(type, cache);
      assert.equal(
        /^strangler_id=[\w-]{36}; Path=\/; .*HttpOnly; SameSite=Lax$/.test(
          (await ask('/')).headers.getSetCookie()[0] ?? '',
        ),
        expected,
        `${type} ${cache}`,
      );
    }
    assert.deepEqual((await ask('/', { headers: { cookie: 'strangler_id=x' } })).headers.getSetCookie(), []);
    assert.equal((await ask('/images/1')).by, 'monolith', 'who has no key goes to the default upstream');
    monolith.handle = (request, response) =>
      void request.resume().on('end', () => response.end('monolith\n'));
  });

  it('obeys a signed override, strips it, and ignores a forged one', async () => {
    const link = await linkTo('image-api');
    const opened = await fetch(link, { redirect: 'manual' });
    assert.equal(opened.status, 303);
    const cookie = opened.headers.getSetCookie()[0]!.split(';')[0]!;
    const seen: string[] = [];
    service.handle = (request, response) => {
      seen.push(JSON.stringify(request.headers));
      response.end();
    };
    assert.equal((await ask('/images/1', { headers: { cookie: `a=1; ${cookie}` } })).by, 'image-api');
    assert.doesNotMatch(seen[0]!, /strangler_override/);
    assert.match(seen[0]!, /a=1/);
    assert.equal((await ask('/images/1', { headers: { cookie: `${cookie}x` } })).by, 'monolith');
    service.handle = (request, response) =>
      void request.resume().on('end', () => response.end('image-api\n'));
  });
  async function linkTo(side: string): Promise<string> {
    const result = await runCli(
      ['link', 'images', '--side', side, '--config', join(router.dir, 'strangler.yaml'), '--url', router.url],
      { ...process.env, STRANGLER_OVERRIDE_KEY: 'k' },
      router.dir,
    );
    assert.equal(result.code, 0, result.stderr);
    return result.stdout.split('\n')[0]!;
  }

  it('explains with the value that decides', async () => {
    const { body } = await router.admin('/api/explain?method=GET&path=/images/7&key=key-1');
    assert.equal(body['upstream'], await sideOf('key-1', '/images/7'));
    assert.equal(body['reason'], 'BUCKET');
    const { stdout } = await router.cli('explain', 'GET', '/images/7', '--key', 'key-1', '--json');
    assert.deepEqual(JSON.parse(stdout), body);
  });

  it('stops everybody at the kill switch and goes on after resume', async () => {
    const [inside] = await keysIn(100);
    assert.equal((await router.change('/images/kill', {})).status, 200);
    assert.equal(await sideOf(inside!), 'monolith');
    assert.equal((await router.change('/images/resume', {})).status, 200);
    assert.equal(await sideOf(inside!), 'image-api');
  });

  it('loses no request to a flag file that is broken, emptied, deleted or swapped, 50 times', async () => {
    const path = join(router.dir, 'flags.json');
    const good = readFileSync(path, 'utf8');
    let isOver = false;
    let failed = 0;
    let served = 0;
    const load = Promise.all(
      [...Array(4).keys()].map(async (worker) => {
        for (let i = 0; !isOver; i++) {
          const status = await ask('/images/1', { headers: { 'x-user-id': `${worker}-${i}` } }).then(
            (answer) => answer.status,
            () => 0,
          );
          if (status !== 200) failed += 1;
          served += 1;
        }
      }),
    );
    for (let round = 0; round < 10; round++) {
      for (const harm of ['{"flags":', '', null, good.slice(0, -30), 'swap']) {
        if (harm === null) rmSync(path);
        else if (harm === 'swap') {
          writeFileSync(join(router.dir, `bad-${round}.json`), 'nothing');
          symlinkSync(`bad-${round}.json`, join(router.dir, 'link'));
          renameSync(join(router.dir, 'link'), path);
        } else writeFileSync(path, harm);
        if (round === 0) {
          const status = await untilStatus(
            router,
            ({ flags }) => (flags as { state: string }).state === 'rejected',
          );
          assert.ok((status['flags'] as { faults: { message: string }[] }).faults[0]!.message.length > 5);
        }
        rmSync(path, { force: true });
        writeFileSync(path, good);
        if (round === 0)
          await untilStatus(router, ({ flags }) => (flags as { state: string }).state === 'applied');
      }
    }
    isOver = true;
    await load;
    assert.equal(failed, 0, `${failed} of ${served}`);
  });
});
