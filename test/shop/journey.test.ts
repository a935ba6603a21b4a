import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import sharp, { type Metadata } from 'sharp';
import { startShop, type Shop } from '../support/shop.ts';
import { until } from '../support/until.ts';

/** The main job, told once from end to end: the shop serves through the router, and a flag moves the image traffic. */
describe('the shop behind the router', function () {
  this.timeout(120_000);
  let shop: Shop;
  let cookie: string;
  before(async () => {
    shop = await startShop();
    cookie = await shop.login();
  });
  after(async () => {
    if (shop) assert.equal(await shop.stop(), 0);
  });

  const get = (path: string, headers: Record<string, string> = {}, base = shop.url): Promise<Response> =>
    fetch(base + path, { headers: { cookie, ...headers } });
  const picture = async (path: string, base?: string): Promise<Metadata> =>
    sharp(Buffer.from(await (await get(path, {}, base)).arrayBuffer())).metadata();
  const photo = (width: number, height: number): Promise<Buffer> =>
    sharp({
      create: {
        width,
        height,
        channels: 3,
        background: '#345',
        noise: { type: 'gaussian', mean: 128, sigma: 30 },
      },
    })
      .jpeg()
      .toBuffer();
  async function upload(): Promise<string> {
    const form = new FormData();
    form.set('image', new Blob([new Uint8Array(await photo(640, 480))], { type: 'image/jpeg' }), 'photo.jpg');
    form.set('alt', 'A test');
    const response = await fetch(`${shop.url}/products/1/images`, {
      method: 'POST',
      headers: { cookie },
      body: form,
    });
    assert.equal(response.status, 201, await response.clone().text());
    return response.headers.get('location')!;
  }
  /** Requests the image-api has counted on image routes. */
  async function counted(): Promise<number> {
    const text = await (await fetch(`${shop.imageApiUrl}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => /^\w*requests_total\{[^}]*route="[^"]*images/.test(line))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }
  const shift = async (percent: number): Promise<void> => {
    const { code, stderr } = await shop.cli('shift', 'images', String(percent), '--why', 'a test');
    assert.equal(code, 0, stderr);
  };

  it('serves a picture at any size, moves its traffic to the service and back, and nothing is lost', async () => {
    const location = await upload();
    for (const width of [64, 320, 500]) assert.equal((await picture(`${location}?w=${width}`)).width, width);
    assert.equal((await picture(`${location}?w=100&format=webp`)).format, 'webp');
    const before = await counted();
    await (await get(location)).arrayBuffer();
    assert.equal(await counted(), before, 'at 0 % the service sees nothing');

    await shift(100);
    const there = await get(location);
    assert.equal(there.status, 200);
    // It counts when its answer has gone out, which may be a moment after we have it.
    await until(async () => (await counted()) === before + 1, 'the service to have counted one request');
    assert.match(there.headers.get('server-timing') ?? '', /image-api/);
    assert.deepEqual(
      Buffer.from(await there.arrayBuffer()),
      Buffer.from(await (await get(location, {}, shop.monolithUrl)).arrayBuffer()),
    );
    const second = await upload();
    assert.equal((await picture(`${second}?w=50`)).width, 50);

    await shift(0);
    assert.equal((await picture(`${second}?w=50`, shop.monolithUrl)).width, 50);
    assert.ok(
      ((await (await get('/products/1/images')).json()) as { id: number }[]).some(({ id }) =>
        second.endsWith(`/${id}`),
      ),
    );
  });

  it('logs out everywhere', async () => {
    await shift(100);
    const mine = await shop.login();
    const patch = (): Promise<number> =>
      fetch(`${shop.url}/images/1`, {
        method: 'PATCH',
        headers: { cookie: mine, 'content-type': 'application/json' },
        body: '{"alt":"x"}',
      }).then((response) => response.status);
    assert.equal(await patch(), 200);
    await fetch(`${shop.url}/logout`, { method: 'POST', headers: { cookie: mine } });
    await until(async () => (await patch()) === 401, 'the service to hear of the logout', 5000);
    await shift(0);
  });

  it('passes pages on unchanged', async () => {
    for (const path of ['/', '/products', '/products/1', '/login', '/nowhere', '/shop.css']) {
      const [through, direct] = await Promise.all([
        get(path, { accept: 'text/html' }),
        get(path, { accept: 'text/html', host: new URL(shop.url).host }, shop.monolithUrl),
      ]);
      assert.equal(through.status, direct.status, path);
      assert.deepEqual(
        Buffer.from(await through.arrayBuffer()),
        Buffer.from(await direct.arrayBuffer()),
        path,
      );
      const named = (response: Response): Record<string, string> => {
        const headers = Object.fromEntries(response.headers);
        for (const name of [
          'date',
          'via',
          'set-cookie',
          'server-timing',
          'x-request-id',
          'connection',
          'keep-alive',
        ])
          delete headers[name];
        return headers;
      };
      assert.deepEqual(named(through), named(direct), path);
    }
  });

  it('loses no read when the service is killed, and uses it again when it is back', async () => {
    await shift(100);
    const [victim] = shop.pidsOf('extracted/image-api/main.ts');
    assert.ok(victim);
    let isOver = false;
    const answers: number[] = [];
    const load = Promise.all(
      [...Array(8).keys()].map(async () => {
        while (!isOver) {
          answers.push(
            await get('/images/1/meta').then(
              async (response) => (await response.arrayBuffer(), response.status),
              () => 0,
            ),
          );
        }
      }),
    );
    try {
      await until(() => answers.length > 100, 'some load');
      process.kill(victim, 'SIGKILL');
      const killedAt = Date.now();
      await until(
        () => shop.pidsOf('extracted/image-api/main.ts').some((pid) => pid !== victim),
        'a new process',
      );
      assert.ok(Date.now() - killedAt < 5000);
      const before = await counted().catch(() => 0);
      await until(
        async () => (await counted().catch(() => 0)) > before,
        'the service to be used again',
        20_000,
      );
    } finally {
      isOver = true;
      await load;
      await shift(0);
    }
    assert.deepEqual(
      answers.filter((status) => status !== 200),
      [],
      `of ${answers.length}`,
    );
  });

  it('sends a mail for an order', async () => {
    const response = await fetch(`${shop.url}/orders`, {
      method: 'POST',
      headers: { cookie, 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ product: 1, quantity: 2, unknown: true }),
    });
    assert.equal(response.status, 201);
    const { id } = (await response.json()) as { id: number };
    await until(
      () =>
        globSync(`${shop.dataDir}/mail/*.eml`).some((file) =>
          new RegExp(`^Message-ID: <[^>]*${id}@`, 'im').test(readFileSync(file, 'utf8')),
        ),
      'the confirmation',
    );
  });
});
