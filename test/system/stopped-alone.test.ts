import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { startEtcd, type Etcd } from '../support/etcd.ts';
import { startBroker, type Broker } from '../support/rabbitmq.ts';
import { startShop, type Shop } from '../support/shop.ts';
import { until } from '../support/until.ts';

/** README, "What still works": each service stopped alone, the whole shop running on a real broker and a real etcd cluster. */
describe('with one service stopped alone', function () {
  this.timeout(180_000);
  let broker: Broker;
  let etcd: Etcd;
  let shop: Shop;
  let cookie: string;
  before(async () => {
    [broker, etcd] = await Promise.all([startBroker(), startEtcd(3)]);
    shop = await startShop({ AMQP_URL: broker.url, ETCD_URLS: etcd.urls.join(',') }, 120_000);
    cookie = await shop.login();
    await cli('shift', 'images', '100');
    for (let stage = 0; stage < 2; stage++) await cli('promote', 'mail');
    await cli('shift', 'mail', '100');
  });
  after(async () => {
    const code = await shop?.stop();
    await Promise.all([broker?.stop(), etcd?.stop()]);
    assert.equal(code, 0);
  });

  async function cli(...args: string[]): Promise<void> {
    const { code, stdout, stderr } = await shop.cli(...args, '--why', 'a test');
    assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  }
  const get = (path: string): Promise<Response> => fetch(shop.url + path, { headers: { cookie } });
  /** What always works; answers the order's id. */
  async function always(): Promise<string> {
    const page = await fetch(`${shop.url}/`, { headers: { accept: 'text/html' } });
    assert.equal(page.status, 200);
    assert.match(await page.text(), /Nordlicht/);
    assert.match(await shop.login(), /^sid=/);
    const ordered = await fetch(`${shop.url}/orders`, {
      method: 'POST',
      headers: { cookie, 'content-type': 'application/json' },
      body: JSON.stringify({ product: 1, quantity: 1 }),
    });
    assert.equal(ordered.status, 201, await ordered.clone().text());
    const { id } = (await ordered.json()) as { id: string };
    assert.equal((await get(`/orders/${id}`)).status, 200);
    return String(id);
  }
  async function upload(): Promise<Response> {
    const pixels = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#345' } })
      .jpeg()
      .toBuffer();
    const form = new FormData();
    form.set('image', new Blob([new Uint8Array(pixels)], { type: 'image/jpeg' }), 'photo.jpg');
    return await fetch(`${shop.url}/products/1/images`, { method: 'POST', headers: { cookie }, body: form });
  }
  async function uploaded(): Promise<void> {
    const answer = await upload();
    assert.equal(answer.status, 201, await answer.text());
  }
  function mails(order: string): number {
    const dir = join(shop.dataDir, 'mail');
    return readdirSync(dir)
      .filter((name) => name.endsWith('.eml'))
      .filter((name) => readFileSync(join(dir, name), 'utf8').includes(`<order-${order}@shop.example>`))
      .length;
  }
  const mailed = (order: string): Promise<void> =>
    until(() => mails(order) === 1, `the mail of order ${order}`, 60_000);
  /** Kills a service as often as its supervisor starts it, while `meanwhile` runs. */
  async function without(entry: string, meanwhile: () => Promise<void>): Promise<void> {
    const killing = setInterval(() => {
      for (const pid of shop.pidsOf(entry))
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended since.
        }
    }, 20);
    try {
      await until(() => shop.pidsOf(entry).length === 0, `${entry} to be gone`);
      await meanwhile();
    } finally {
      clearInterval(killing);
    }
  }

  it('nothing stopped: everything works, on the services', async () => {
    await mailed(await always());
    assert.equal((await get('/images/1?w=40')).headers.get('server-timing')?.includes('image-api'), true);
    await uploaded();
  });

  it('image-api: pictures are shown; they can be uploaded again after a rollback, or when it is back', async () => {
    await without('extracted/image-api/main.ts', async () => {
      const order = await always();
      for (let n = 0; n < 20; n++) assert.equal((await get(`/images/1?w=${40 + n}`)).status, 200);
      assert.equal((await upload()).status, 503);
      await cli('rollback', 'images');
      await uploaded();
      await mailed(order);
    });
    await cli('shift', 'images', '100');
    await until(
      async () => (await get('/images/1?w=41')).headers.get('server-timing')?.includes('image-api') === true,
      'the image-api to answer again',
    );
  });

  it('email-api: orders are taken, their mails come when it is back; after a rollback the shop sends at once', async () => {
    let waiting = '';
    await without('extracted/email-api/main.ts', async () => {
      waiting = await always();
      await cli('rollback', 'mail');
      await mailed(await always());
      assert.equal(mails(waiting), 0);
    });
    await mailed(waiting);
    await cli('shift', 'mail', '100');
  });

  it('relay: orders are taken, their mails come when it is back', async () => {
    let waiting = '';
    await without('monolith/relay.ts', async () => void (waiting = await always()));
    await mailed(waiting);
  });

  it('broker: orders are taken, their mails come when it is back', async () => {
    await broker.kill();
    const waiting = [await always(), await always()];
    assert.equal((await get('/images/1')).status, 200);
    await uploaded();
    await broker.start();
    for (const order of waiting) await mailed(order);
  });

  it('etcd: all goes on with the flags last known; kill works, changes are refused until it is back', async () => {
    for (const member of [0, 1, 2]) await etcd.kill(member);
    await mailed(await always());
    await uploaded();
    await until(
      async () => /stale/i.test((await shop.cli('status')).stdout),
      'status to say that flags are stale',
    );
    const refused = await shop.cli('shift', 'images', '50', '--why', 'a test');
    assert.notEqual(refused.code, 0);
    assert.match(refused.stdout + refused.stderr, /etcd/);
    await cli('kill', 'images');
    await until(
      async () => (await get('/images/1?w=42')).headers.get('server-timing')?.includes('monolith') === true,
      'the monolith to answer for pictures',
    );
    await cli('resume', 'images');
    for (const member of [0, 1, 2]) void etcd.start(member);
    await until(
      async () => (await shop.cli('shift', 'images', '100', '--why', 'a test')).code === 0,
      'a change to be taken again',
      30_000,
    );
    await mailed(await always());
  });
});
