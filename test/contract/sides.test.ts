import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import sharp from 'sharp';
import { startShop, type Shop } from '../support/shop.ts';
import { imageContract } from './images.ts';
import { difference, photo } from './pictures.ts';

/** One contract, run against every way to reach the pictures. */
describe('both sides of the images', function () {
  this.timeout(60_000);
  let shop: Shop;
  let cookie: string;
  before(async () => {
    shop = await startShop();
    cookie = await shop.login();
  });
  after(async () => {
    await shop?.stop();
  });

  const add = async (base: string, bytes: Buffer): Promise<string> => {
    const body = new FormData();
    body.set('image', new Blob([new Uint8Array(bytes)]), 'x');
    const answer = await fetch(`${base}/products/1/images`, { method: 'POST', headers: { cookie }, body });
    assert.equal(answer.status, 201, await answer.clone().text());
    return answer.headers.get('location')!;
  };

  imageContract('the monolith', { url: () => shop.monolithUrl, cookie: () => cookie });
  imageContract('the image-api', { url: () => shop.imageApiUrl, cookie: () => cookie });
  for (const percent of [0, 50, 100]) {
    describe(`with ${percent} % on the service`, () => {
      before(async () =>
        assert.equal((await shop.cli('shift', 'images', String(percent), '--why', 'a test')).code, 0),
      );
      // Several keys: at 50 % they are on different sides, and none of them can tell.
      for (const key of ['ana', 'bob', 'cleo']) {
        const side = { url: () => shop.url, cookie: () => cookie, headers: { 'x-user-id': key } };
        imageContract(`the router at ${percent} %, as ${key}`, side, {
          hostile: percent === 100 && key === 'ana',
        });
      }
    });
  }

  it('serves on one side what was uploaded on the other: same tag, same picture', async () => {
    for (const [from, to] of [
      [shop.monolithUrl, shop.imageApiUrl],
      [shop.imageApiUrl, shop.monolithUrl],
    ] as const) {
      const location = await add(from, await photo(300, 200));
      for (const query of [
        '',
        '?w=100',
        '?w=100&h=100&fit=contain&format=png',
        '?w=64&format=webp',
        '?w=64&format=avif',
        // Other words for what has a tag already.
        '?w=100&fit=cover&q=82',
        '?w=64&h=48&fit=cover&format=webp&q=80',
        '?fit=contain&format=png&q=7',
      ]) {
        const [mine, theirs] = await Promise.all([from, to].map((base) => fetch(base + location + query)));
        for (const answer of [mine!, theirs!]) {
          const head = await fetch(answer.url, { method: 'HEAD' });
          const { byteLength } = await answer.clone().arrayBuffer();
          assert.equal(head.headers.get('content-length'), String(byteLength), `HEAD of ${answer.url}`);
        }
        for (const name of [
          'etag',
          'content-type',
          'cache-control',
          'content-disposition',
          'x-content-type-options',
          'vary',
        ])
          assert.equal(theirs!.headers.get(name), mine!.headers.get(name), `${name} of ${query}`);
        assert.ok(
          (await difference(
            Buffer.from(await mine!.arrayBuffer()),
            Buffer.from(await theirs!.arrayBuffer()),
          )) < 1,
          query,
        );
      }
    }
  });

  it('fills a box with the middle of a strip', async () => {
    const width = 30_000;
    const pixels = Buffer.alloc(3 * width, 200);
    // Grey, and green in the middle: enlarged to two thousand times its height it would be sixty million pixels wide.
    for (let x = width / 2 - 1; x <= width / 2; x++) pixels.set([0, 255, 0], 3 * x);
    const strip = await sharp(pixels, { raw: { width, height: 1, channels: 3 } })
      .png()
      .toBuffer();
    for (const base of [shop.monolithUrl, shop.imageApiUrl]) {
      const location = await add(base, strip);
      for (const [query, size] of [
        ['?w=1&h=2000', { width: 1, height: 2000 }],
        ['?w=2&h=2000&fit=cover', { width: 2, height: 2000 }],
      ] as const) {
        const answer = await fetch(base + location + query);
        assert.equal(answer.status, 200, `${base} ${query}`);
        const found = sharp(Buffer.from(await answer.arrayBuffer()));
        const { width, height } = await found.metadata();
        assert.deepEqual({ width, height }, size, query);
        const { dominant } = await found.stats();
        assert.ok(dominant.g > 200 && dominant.r < 60, JSON.stringify(dominant));
      }
    }
  });

  it('leaves nothing of all these uploads but the pictures', () => {
    assert.deepEqual(globSync(`${shop.dataDir}/blobs/incoming/*`), []);
  });
});
