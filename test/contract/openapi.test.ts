import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { createApp, type AppOptions } from '../../extracted/image-api/app.ts';
import { document as written } from '../../extracted/image-api/openapi/document.ts';
import { MAX_ALT } from '../../extracted/image-api/upload.ts';
import { MAX_SIDE } from '../../extracted/image-api/wish.ts';
import { openImageSides, type ImageSides } from '../support/image-sides.ts';
import { answersOf, operationsOf, routesOf, type Layers, type OpenApi } from '../support/openapi-answers.ts';
import { openOwnImageApi } from '../support/own-image-api.ts';
import { photo } from './pictures.ts';

const document = written as unknown as OpenApi;
/** Documented, and not brought about here: the tests named do it, or the failure is another system's. */
const ELSEWHERE = [
  'addPicture 500',
  'addPicture 507',
  'readPicture 413',
  'readPicture 422',
  'readPicture 429',
  'readPicture 503',
  'readMeta 500',
  'listPictures 500',
  'describePicture 500',
  'describePicture 503',
  'removePicture 500',
  'removePicture 503',
  'ready 503',
];

describe('the OpenAPI document of the image-api', () => {
  it('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(
      structuredClone(written) as Record<string, unknown>,
    );
    assert.ok(valid, JSON.stringify(errors));
  });

  it('has every route of the application, and no other', () => {
    const app = createApp({
      sessions: { require: () => undefined },
      isReady: async () => true,
      log: { error: () => undefined },
    } as unknown as AppOptions);
    assert.deepEqual(operationsOf(document), routesOf(app.router as unknown as Layers).toSorted());
  });

  describe('against the running service', () => {
    let sides: ImageSides;
    const answers = answersOf(document);
    before(async () => {
      sides = await openImageSides();
    });
    after(() => sides?.close());

    /** Asks, and holds the answer against the document; `path` is the template's. */
    const ask = async (
      method: string,
      path: string,
      value: string,
      {
        url = sides.ownImageApi.url,
        query = '',
        ...init
      }: RequestInit & { url?: string; query?: string } = {},
    ): Promise<Response> => {
      const target = url + path.replace(/\{\w+\}/, value) + query;
      // Without a word of ours, fetch asks for no cached answer whenever it asks conditionally.
      const headers = { 'cache-control': 'max-age=0', ...(init.headers as Record<string, string>) };
      const response = await fetch(target, {
        method: method.toUpperCase(),
        redirect: 'manual',
        ...init,
        headers,
      });
      await answers.check(path, method, response.clone());
      return response;
    };
    const customer = (more: Record<string, string> = {}): Record<string, string> => ({
      cookie: sides.cookie,
      ...more,
    });
    const form = async (bytes?: Buffer, alt = 'A lantern'): Promise<FormData> => {
      const body = new FormData();
      body.set('alt', alt);
      body.set('image', new Blob([new Uint8Array(bytes ?? (await photo(40, 30)))]), 'x.jpg');
      return body;
    };
    const add = async (init: RequestInit & { url?: string } = {}, product = '1'): Promise<Response> =>
      ask('post', '/products/{product}/images', product, {
        headers: customer(),
        body: await form(),
        ...init,
      });
    const idOf = (response: Response): string => response.headers.get('location')!.split('/')[2]!;

    it('reads as it says', async () => {
      const id = idOf(await add());
      const picture = (query: string, headers: Record<string, string> = {}): Promise<Response> =>
        ask('get', '/images/{id}', id, { query, headers });
      for (const path of ['/images/{id}', '/images/{id}/meta']) {
        const first = await ask('get', path, id);
        assert.equal(first.status, 200);
        const again = await ask('get', path, id, {
          headers: { 'if-none-match': first.headers.get('etag')! },
        });
        assert.equal(again.status, 304);
        assert.equal((await ask('get', path, '999')).status, 404);
        assert.equal((await ask('get', path, '%ff')).status, 400);
      }
      for (const accept of ['image/webp', '*/*'])
        assert.equal((await picture('?format=auto&w=8', { accept })).headers.get('vary'), 'Accept');
      assert.ok([200, 206].includes((await picture('', { range: 'bytes=0-9' })).status));
      assert.ok([200, 416].includes((await picture('', { range: 'bytes=999999-' })).status));
      const list = await ask('get', '/products/{product}/images', '1');
      const headers = { 'if-none-match': list.headers.get('etag')! };
      assert.equal((await ask('get', '/products/{product}/images', '1', { headers })).status, 304);
      assert.equal((await ask('get', '/products/{product}/images', '999')).status, 404);
      assert.equal((await ask('get', '/products/{product}/images', '%ff')).status, 400);
    });

    it('has the limits of the parameters that are in force', async () => {
      const id = idOf(await add());
      const status = async (name: string, value: string): Promise<number> =>
        (await ask('get', '/images/{id}', id, { query: `?${name}=${value}` })).status;
      const parameters = document.paths['/images/{id}']!['get']!.parameters!.filter(
        (each) => each.in === 'query',
      );
      assert.deepEqual(
        parameters.map(({ name }) => name),
        ['w', 'h', 'fit', 'format', 'q'],
      );
      for (const { name, schema } of parameters) {
        if (name.length === 1 && name !== 'q') assert.equal(schema.maximum, MAX_SIDE);
        const right = schema.enum ?? [String(schema.minimum!), String(schema.maximum!)];
        for (const value of right) assert.equal(await status(name, value), 200, `${name}=${value}`);
        const wrong = schema.enum ? ['fill', 'gif', ''] : [schema.minimum! - 1, schema.maximum! + 1, '1.5'];
        for (const value of wrong) assert.equal(await status(name, String(value)), 400, `${name}=${value}`);
      }
    });

    it('writes as it says', async () => {
      const id = idOf(await add());
      const patch = (to: string, init: RequestInit = {}): Promise<Response> =>
        ask('patch', '/images/{id}', to, {
          headers: customer({ 'content-type': 'application/json' }),
          body: '{"alt":"new"}',
          ...init,
        });
      assert.equal((await add({ headers: customer({ accept: 'text/html' }) })).status, 303);
      assert.equal((await add({ headers: {} })).status, 401);
      assert.equal((await add({ headers: customer({ origin: 'http://elsewhere.test' }) })).status, 403);
      assert.equal((await add({}, '999')).status, 404);
      assert.equal((await add({ body: new FormData() })).status, 400);
      assert.equal((await add({ body: await form(undefined, 'x'.repeat(MAX_ALT + 1)) })).status, 400);
      assert.equal((await add({ body: await form(Buffer.from('<svg/>')) })).status, 415);
      assert.equal((await add({ body: await form((await photo(40, 30)).subarray(0, 300)) })).status, 422);
      assert.equal(
        (await add({ body: await form(Buffer.alloc(25 * 2 ** 20 + 1, '\xff\xd8\xff\xe0', 'latin1')) }))
          .status,
        413,
      );
      for (const isAgain of [false, true]) {
        const answer = await add({ headers: customer({ 'idempotency-key': 'a-key' }) });
        assert.deepEqual([answer.status, answer.headers.has('idempotency-replayed')], [201, isAgain]);
      }
      assert.equal((await patch(id)).status, 200);
      assert.equal((await patch(id, { headers: { 'content-type': 'application/json' } })).status, 401);
      assert.equal((await patch(id, { body: '{"alt":1}' })).status, 400);
      assert.equal((await patch(id, { body: JSON.stringify({ alt: 'x'.repeat(200_000) }) })).status, 413);
      assert.equal((await patch('999')).status, 404);
      const remove = (to: string, headers = customer()): Promise<Response> =>
        ask('delete', '/images/{id}', to, { headers });
      assert.equal((await remove(id, {})).status, 401);
      assert.equal((await remove('%ff')).status, 400);
      assert.equal((await remove(id)).status, 204);
      assert.equal((await remove(id)).status, 404);
    });

    it('says what moving data, a missing file and a shop that is away lead to', async () => {
      const id = idOf(await add());
      const { pool, blobDir } = sides.ownImageApi;
      for (const [state, status] of [
        ['SK421', 421],
        ['SK409', 409],
      ] as const) {
        await pool.query(
          `CREATE FUNCTION fence() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN RAISE EXCEPTION 'not here' USING ERRCODE = '${state}', DETAIL = 'monolith'; END $$`,
        );
        await pool.query(
          'CREATE TRIGGER fence BEFORE INSERT OR UPDATE OR DELETE ON pictures FOR EACH ROW EXECUTE FUNCTION fence()',
        );
        const headers = customer({ 'content-type': 'application/json' });
        assert.equal((await add()).status, status);
        const patched = await ask('patch', '/images/{id}', id, { headers, body: '{"alt":""}' });
        assert.equal(patched.status, status);
        assert.equal((await ask('delete', '/images/{id}', id, { headers: customer() })).status, status);
        await pool.query('DROP FUNCTION fence CASCADE');
      }
      rmSync(`${blobDir}/sha256`, { recursive: true });
      assert.equal((await ask('get', '/images/{id}', id)).status, 500);
      const alone = await openOwnImageApi('http://127.0.0.1:1', { leased: 0 });
      try {
        assert.equal((await add({ url: alone.url })).status, 503);
        const listed = await ask('get', '/products/{product}/images', '1', { url: alone.url });
        assert.equal(listed.status, 503);
      } finally {
        await alone.close();
      }
    });

    it('answers operators, and shows itself with validators', async () => {
      assert.equal((await ask('get', '/metrics', '')).status, 200);
      const { status, headers } = await fetch(`${sides.ownImageApi.url}/docs/`, { redirect: 'manual' });
      assert.deepEqual([status, headers.get('location')], [308, '../docs']);
      for (const [path, file] of [
        ['/livez', ''],
        ['/readyz', ''],
        ['/openapi.json', ''],
        ['/docs', ''],
        ['/docs/{file}', 'swagger-ui.css'],
        ['/docs/{file}', 'start.js'],
      ] as const) {
        const first = await ask('get', path, file);
        assert.equal(first.status, 200);
        const headers = { 'if-none-match': first.headers.get('etag')! };
        assert.equal((await ask('get', path, file, { headers })).status, 304, `${path} ${file}`);
      }
      assert.deepEqual(await (await ask('get', '/openapi.json', '')).json(), written);
      for (const file of ['package.json', '..%2fpackage.json', '.env'])
        assert.equal((await ask('get', '/docs/{file}', file)).status, 404);
      assert.equal((await ask('get', '/docs/{file}', '%ff')).status, 400);
    });

    it('promises no answer that nothing gives', () => {
      const missing = Object.entries(document.paths).flatMap(([path, item]) =>
        Object.entries(item).flatMap(([method, { operationId, responses }]) =>
          Object.keys(responses)
            .filter((status) => !answers.seen.has(`${method} ${path} ${status}`))
            .map((status) => `${operationId} ${status}`),
        ),
      );
      assert.deepEqual(
        missing.filter((each) => !ELSEWHERE.includes(each)),
        [],
      );
    });
  });
});
