import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
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
      const form = new FormData();
      form.set('image', new Blob([new Uint8Array(await photo(300, 200))]), 'x.jpg');
      const location = (
        await fetch(`${from}/products/1/images`, { method: 'POST', headers: { cookie }, body: form })
      ).headers.get('location')!;
      for (const query of [
        '',
        '?w=100',
        '?w=100&h=100&fit=contain&format=png',
        '?w=64&format=webp',
        '?w=64&format=avif',
      ]) {
        const [mine, theirs] = await Promise.all([from, to].map((base) => fetch(base + location + query)));
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

  it('leaves nothing of all these uploads but the pictures', () => {
    assert.deepEqual(globSync(`${shop.dataDir}/blobs/incoming/*`), []);
  });
});
