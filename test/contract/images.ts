import assert from 'node:assert/strict';
import sharp from 'sharp';
import request from 'supertest';
import { photo } from './pictures.ts';
import { hostileUploads } from './uploads.ts';

/** What an 800 × 600 picture becomes. */
const SIZES: readonly (readonly [string, number, number])[] = [
  ['w=200', 200, 150],
  ['h=150', 200, 150],
  ['w=100&h=100', 100, 100],
  ['w=100&h=100&fit=contain', 100, 100],
  ['w=100&h=100&fit=inside', 100, 75],
  ['w=100&fit=cover', 100, 75],
  ['w=1', 1, 1],
  ['w=1600&format=jpeg&q=1', 1600, 1200],
  ['format=webp', 800, 600],
];

/** Where a side is, and a logged-in customer's cookie. Read when a test runs: the servers start in `before`. */
export interface Side {
  readonly url: () => string;
  readonly cookie: () => string;
  /** Headers every request carries, to be on this side. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The image contract, as clients rely on it. The same expectations for the monolith, for the service, and for the router whatever its share is: that
 * is what makes diverting invisible. `hostile: false` leaves out what strangers send, which takes its time.
 */
export function imageContract(
  name: string,
  side: Side,
  { hostile = true }: { hostile?: boolean } = {},
): void {
  describe(`the image contract: ${name}`, () => {
    const send = (method: 'get' | 'head' | 'post' | 'patch' | 'delete', path: string): request.Test => {
      const agent = request(side.url());
      return agent[method](path).set(side.headers ?? {});
    };
    const asCustomer = (test: request.Test): request.Test => test.set('cookie', side.cookie());
    const upload = async (bytes: Buffer, file = 'photo.jpg'): Promise<request.Response> =>
      asCustomer(send('post', '/products/1/images')).field('alt', 'A photo').attach('image', bytes, file);
    let path: string;
    before(async () => {
      const response = await upload(await photo(800, 600));
      assert.equal(response.status, 201, response.text);
      path = response.headers['location']!;
    });

    it('describes what was uploaded, alone and among its product’s pictures', async () => {
      assert.match(path, /^\/images\/\d+$/);
      const { body, headers } = await send('get', `${path}/meta`).expect(200);
      assert.match(headers['content-type']!, /^application\/json/);
      assert.deepEqual(
        { ...body, bytes: typeof body.bytes },
        {
          id: Number(path.split('/')[2]),
          product: 1,
          url: path,
          contentType: 'image/jpeg',
          width: 800,
          height: 600,
          bytes: 'number',
          alt: 'A photo',
        },
      );
      const list = await send('get', '/products/1/images').expect(200);
      assert.ok((list.body as { id: number }[]).some(({ id }) => id === body.id));
    });

    it('serves it with what caches and browsers need', async () => {
      const { headers, body } = await send('get', path)
        .expect(200)
        .expect('content-type', 'image/jpeg')
        .expect('x-content-type-options', 'nosniff');
      assert.match(headers['cache-control']!, /public, max-age=\d+/);
      assert.match(headers['etag']!, /^"[\w-]+"$/);
      const head = await send('head', path).expect(200);
      assert.equal(Number(head.headers['content-length']), (body as Buffer).length);
      await send('get', path).set('if-none-match', headers['etag']!).expect(304);
      await send('get', path).set('if-none-match', `W/${headers['etag']}, "x"`).expect(304);
      await send('get', path).set('if-none-match', '*').expect(304);
      await send('get', path).set('if-none-match', '"x"').expect(200);
      const same = await send('get', `${path}?w=20`).set('if-none-match', headers['etag']!).expect(200);
      await send('head', `${path}?w=20`).set('if-none-match', same.headers['etag']!).expect(304);
      // A part, or all of it: who asks for ranges must take either.
      const part = await send('get', path).set('range', 'bytes=0-9');
      assert.ok(part.status === 200 || part.status === 206, `${part.status}`);
      assert.deepEqual(part.body, (body as Buffer).subarray(0, part.status === 206 ? 10 : undefined));
      assert.equal(part.headers['etag'], headers['etag']);
    });

    it('gives every variant an ETag of its own', async () => {
      const queries = [
        '',
        '?w=100',
        '?w=101',
        '?w=100&h=50',
        '?w=100&h=50&fit=contain',
        '?w=100&format=webp',
        '?w=100&q=10',
      ];
      const tags = await Promise.all(
        queries.map(async (query) => (await send('head', path + query).expect(200)).headers['etag']),
      );
      assert.equal(new Set(tags).size, queries.length);
    });

    it('negotiates `auto` and says so', async () => {
      const webp = await send('get', `${path}?w=50&format=auto`)
        .set('accept', 'image/avif,image/webp,*/*')
        .expect('content-type', 'image/webp');
      assert.match(webp.headers['vary']!, /accept/i);
      for (const accept of ['image/*', '*/*', 'image/webp;q=0, */*', 'image/webp-x', ''])
        await send('get', `${path}?w=50&format=auto`)
          .set('accept', accept)
          .expect('content-type', 'image/jpeg')
          .expect('vary', /accept/i);
      assert.equal((await send('get', `${path}?w=50`)).headers['vary'], undefined);
    });

    for (const [query, width, height] of SIZES) {
      it(`makes ?${query} ${width} × ${height}`, async () => {
        const { body } = await send('get', `${path}?${query}`).expect(200);
        const found = await sharp(body as Buffer).metadata();
        assert.deepEqual([found.width, found.height], [width, height]);
      });
    }

    for (const query of [
      'w=0',
      'w=-1',
      'w=4097',
      'w=1e2',
      'w=0x10',
      'w=1.5',
      'w=',
      'w=%201',
      'h=99999999999999999999',
      'q=0',
      'q=101',
      'fit=fill',
      'fit=',
      'format=svg',
      'format=JPEG',
      'W=1',
      'width=1',
      'w=1&w=1',
      '=1',
    ]) {
      it(`refuses ?${query}`, async () => {
        const { body } = await send('get', `${path}?${query}`)
          .expect(400)
          .expect('content-type', /^application\/problem\+json/);
        assert.equal(body.status, 400);
        assert.ok(body.detail.includes(decodeURIComponent(query.split('=')[0]!)), body.detail);
      });
    }

    it('knows no picture of a foreign or impossible id', async () => {
      for (const id of ['999999999', '0', '-1', 'x', '1.5', '9223372036854775808', '1%00'])
        await send('get', `/images/${id}`).expect((response) =>
          assert.ok([400, 404].includes(response.status), `${id}: ${response.status}`),
        );
      await send('get', '/products/999999999/images').expect(404);
    });

    it('lets only customers change anything', async () => {
      await send('post', '/products/1/images')
        .attach('image', await photo(10, 10), 'x.jpg')
        .expect(401)
        .expect('content-type', /problem/);
      await send('patch', path).send({ alt: 'x' }).expect(401);
      await send('delete', path).expect(401);
      await send('patch', path).set('cookie', `${side.cookie()}x`).send({ alt: 'x' }).expect(401);
    });

    it('takes no upload from another site', async () => {
      const { host } = new URL(side.url());
      for (const [origin, status] of [
        ['https://evil.example', 403],
        ['null', 403],
        [`http://${host}`, 201],
      ] as const)
        await asCustomer(send('post', '/products/1/images'))
          .set('origin', origin)
          .attach('image', await photo(10, 10), 'x.jpg')
          .expect(status);
    });

    it('sends a browser back to the page with the form', async () => {
      await asCustomer(send('post', '/products/1/images'))
        .set('accept', 'text/html,application/xhtml+xml,*/*;q=0.8')
        .attach('image', await photo(10, 10), 'x.jpg')
        .expect(303)
        .expect('location', '/products/1');
    });

    it('changes the description and nothing else', async () => {
      assert.equal(
        (await asCustomer(send('patch', path)).send({ alt: 'Another' }).expect(200)).body.alt,
        'Another',
      );
      for (const body of [{}, { alt: 1 }, { alt: 'x', file: 'y' }, { alt: 'x'.repeat(1001) }])
        await asCustomer(send('patch', path)).send(body).expect(400);
      await asCustomer(send('patch', path)).type('form').send('alt=x').expect(400);
      await asCustomer(send('patch', path)).type('json').send('{"alt":').expect(400);
      assert.equal((await send('get', `${path}/meta`)).body.alt, 'Another');
      await asCustomer(send('patch', '/images/999999999')).send({ alt: 'x' }).expect(404);
    });

    it('deletes, and what is deleted is gone', async () => {
      const location = (await upload(await photo(10, 10))).headers['location']!;
      await asCustomer(send('delete', location)).expect(204);
      await send('get', location).expect(404);
      await asCustomer(send('delete', location)).expect(404);
    });

    if (hostile) hostileUploads(upload, (test) => asCustomer(test), send);
  });
}
