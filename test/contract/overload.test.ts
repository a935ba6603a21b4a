import assert from 'node:assert/strict';
import { openImageSides, type ImageSides } from '../support/image-sides.ts';
import { until } from '../support/until.ts';
import { photo } from './pictures.ts';

/** Two in work and 64 in line: what is more is refused at once, and who goes away makes room. */
describe('images under more wishes than can be met', function () {
  this.timeout(60_000);
  let sides: ImageSides;
  before(async () => {
    sides = await openImageSides();
  });
  after(() => sides?.close());

  for (const name of ['monolith', 'imageApi', 'ownImageApi'] as const) {
    it(`says 503 and when to come back: ${name}`, async () => {
      const { url, errors } = sides[name];
      const body = new FormData();
      body.set('image', new Blob([new Uint8Array(await photo(400, 300))]), 'x.jpg');
      const { cookie } = sides;
      const location = (
        await fetch(`${url}/products/1/images`, { method: 'POST', headers: { cookie }, body })
      ).headers.get('location')!;

      const leaving = new AbortController();
      const refused: Response[] = [];
      let left = 0;
      const wishes = Array.from({ length: 90 }, async (_, n) => {
        try {
          // Large and slow to make, and each a different one.
          const response = await fetch(`${url}${location}?w=${3000 + n}&format=webp`, {
            signal: leaving.signal,
          });
          if (response.status !== 200) refused.push(response);
          await response.arrayBuffer();
        } catch {
          left += 1;
        }
      });
      // 90 less the 66 that are taken; some of those may be done before the last has come.
      await until(() => refused.length >= 15, 'the first refusals');
      for (const response of refused) {
        assert.equal(response.status, 503);
        assert.match(response.headers.get('retry-after')!, /^[1-9]\d*$/);
        assert.match(response.headers.get('content-type')!, /^application\/problem\+json/);
        assert.equal(response.headers.get('cache-control'), 'no-store');
        assert.ok(!response.headers.get('etag')?.includes('-inside-'), 'not the tag of the picture');
      }
      leaving.abort();
      await Promise.all(wishes);
      assert.ok(left > 40, `${left} were waiting`);
      // Were the line still full of them, this one would have to wait until all were made.
      const start = Date.now();
      assert.equal((await fetch(`${url}${location}?w=20`)).status, 200);
      assert.ok(Date.now() - start < 9000, `${Date.now() - start} ms`);
      assert.deepEqual(errors, [], 'clients that go away are no errors');
    });
  }
});
