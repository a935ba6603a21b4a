import assert from 'node:assert/strict';
import sharp from 'sharp';
import { imageContract } from '../contract/images.ts';
import { startShop, type Shop } from '../support/shop.ts';
import { until } from '../support/until.ts';

/** The pictures' data moves into the service's own database and folder, while customers use the shop. */
describe('the shop while its pictures move', function () {
  this.timeout(300_000);
  let shop: Shop;
  let cookie: string;
  before(async () => {
    shop = await startShop({ IMAGE_DATA: 'own' });
    cookie = await shop.login();
    await until(async () => (await phase()) === 'ramp', 'all to be copied and verified', 60_000);
  });
  after(async () => {
    if (shop) assert.equal(await shop.stop(), 0);
  });

  const move = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await shop.cli('move', ...args);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const phase = async (): Promise<string> =>
    (JSON.parse(await move('status', 'images', '--json')) as { phase: string }).phase;
  const share = async (percent: number): Promise<void> => {
    const { code, stderr } = await shop.cli('shift', 'images', String(percent), '--why', 'a test');
    assert.equal(code, 0, stderr);
  };
  let colour = 0;
  async function upload(
    product: number,
    by: Record<string, string> = {},
  ): Promise<{ status: number; path: string; bytes: Buffer }> {
    colour += 1;
    const background = { r: colour % 256, g: (colour >> 8) % 256, b: 77 };
    const bytes = await sharp({ create: { width: 20, height: 10, channels: 3, background } })
      .png()
      .toBuffer();
    const body = new FormData();
    body.set('image', new Blob([new Uint8Array(bytes)], { type: 'image/png' }), 'x.png');
    const response = await fetch(`${shop.url}/products/${product}/images`, {
      method: 'POST',
      headers: { cookie, accept: 'application/json', ...by },
      body,
    });
    await response.arrayBuffer();
    return { status: response.status, path: response.headers.get('location')!, bytes };
  }
  const describeIt = (path: string, alt: string): Promise<Response> =>
    fetch(shop.url + path, {
      method: 'PATCH',
      headers: { cookie, 'content-type': 'application/json' },
      body: JSON.stringify({ alt }),
    });
  const alt = async (base: string, path: string): Promise<string> =>
    ((await (await fetch(`${base}${path}/meta`)).json()) as { alt: string }).alt;

  for (const percent of [50, 100])
    describe(`with ${percent} % of the reads and ${percent} % of the homes at the service`, () => {
      before(async () => {
        await move('ramp', 'images', String(percent));
        await share(percent);
      });
      for (const key of ['ana', 'bob'])
        imageContract(
          `the router while data moves, at ${percent} %, as ${key}`,
          { url: () => shop.url, cookie: () => cookie, headers: { 'x-user-id': key } },
          { hostile: false },
        );
    });

  it('loses and refuses nothing while homes go back and over, and the monolith alone has all of it in the end', async () => {
    await share(50);
    const uploaded: { path: string; bytes: Buffer; alt: string }[] = [];
    const gone: string[] = [];
    const statuses = new Map<number, number>();
    const count = (status: number): void => void statuses.set(status, (statuses.get(status) ?? 0) + 1);
    let isOver = false;
    const customer = async (number: number): Promise<void> => {
      for (let n = 0; !isOver; n += 1) {
        const added = await upload(1 + ((number + n) % 8));
        count(added.status);
        const text = `${number}-${n}`;
        count((await describeIt(added.path, text)).status);
        if (n % 5 === 4) {
          const headers = { cookie };
          count((await fetch(shop.url + added.path, { method: 'DELETE', headers })).status);
          gone.push(added.path);
        } else uploaded.push({ path: added.path, bytes: added.bytes, alt: text });
      }
    };
    const customers = Promise.all([0, 1, 2, 3].map(customer));
    try {
      await move('reverse', 'images');
      await move('ramp', 'images', '100');
      await move('reverse', 'images');
    } finally {
      isOver = true;
      await customers;
    }
    assert.deepEqual([...statuses.keys()].sort(), [200, 201, 204], JSON.stringify([...statuses]));
    assert.ok(uploaded.length > 20 && gone.length > 3, `${uploaded.length} uploads`);

    const lagging = async (): Promise<number> => {
      const { waiting } = JSON.parse(await move('status', 'images', '--json')) as {
        waiting: Record<string, { rows: number }>;
      };
      return waiting['image-api']!.rows;
    };
    assert.equal(await lagging(), 0, 'after reverse the monolith waits for nothing');
    // The service hangs: nothing of what follows can have come from it.
    const services = shop.pidsOf('extracted/image-api/main.ts');
    for (const pid of services) process.kill(pid, 'SIGSTOP');
    try {
      for (const { path, bytes, alt: text } of uploaded) {
        const picture = await fetch(`${shop.monolithUrl}${path}`);
        assert.deepEqual(Buffer.from(await picture.arrayBuffer()), bytes, path);
        assert.equal(await alt(shop.monolithUrl, path), text);
      }
      for (const path of gone) assert.equal((await fetch(shop.monolithUrl + path)).status, 404);
    } finally {
      for (const pid of services) process.kill(pid, 'SIGCONT');
    }
  });

  it('reads its own write at once, whichever side answers', async () => {
    await share(100);
    const { path } = await upload(2);
    const by = { cookie };
    const changed = await fetch(shop.url + path, {
      method: 'PATCH',
      headers: { ...by, 'content-type': 'application/json' },
      body: '{"alt":"mine"}',
    });
    const pin = changed.headers.getSetCookie().map((each) => each.split(';')[0]!);
    const read = await fetch(`${shop.url}${path}/meta`, { headers: { cookie: [cookie, ...pin].join('; ') } });
    assert.equal(((await read.json()) as { alt: string }).alt, 'mine');
  });
});
