import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '@prometheus-io/client';
import sharp from 'sharp';
import { photo } from '../../test/contract/pictures.ts';
import { listening } from '../../test/support/listening.ts';
import { until } from '../../test/support/until.ts';
import { createApp, type AppOptions } from './app.ts';
import { createBounded, type Bounded } from './bounded.ts';
import { createClients } from './clients.ts';
import { noImage } from './ids.ts';
import { fileOriginal } from './original.ts';
import { createPictureMetrics } from './picture-metrics.ts';
import { createRender } from './render.ts';
import { openRenditionCache, type RenditionCache } from './rendition-cache.ts';
import { createRenditions } from './renditions.ts';
import { allowSizes } from './sizes.ts';
import type { Image, Store } from './store.ts';

const never = (): never => assert.fail('not asked for here');

describe('renditions over HTTP', function () {
  this.timeout(60_000);
  let folder: string;
  const closing: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'renditions-'));
    writeFileSync(join(folder, 'photo'), await photo(800, 600));
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
    rmSync(folder, { recursive: true, force: true });
  });

  const image: Image = {
    id: '1',
    product_id: '1',
    content_type: 'image/jpeg',
    bytes: 1,
    width: 800,
    height: 600,
    sha256: 'ab'.repeat(32),
    alt: '',
  };
  interface Given {
    readonly bounded?: Bounded;
    readonly perClient?: number;
    readonly memory?: number;
    readonly options?: Partial<AppOptions>;
  }
  async function serve({ bounded, perClient = 0, memory, options }: Given = {}): Promise<{
    get: (path: string, headers?: Record<string, string>, signal?: AbortSignal) => Promise<Response>;
    count: (name: string) => Promise<number>;
    cache: RenditionCache;
  }> {
    const registry = new Registry();
    const metrics = createPictureMetrics(registry);
    const room = bounded ?? createBounded({ inWork: 2, waiting: 64, patience: 10_000 });
    const cache = await openRenditionCache({
      folder: join(folder, 'cache'),
      limit: 1e7,
      log: { warn: never },
      onError: metrics.cacheFailed,
    });
    closing.push(() => cache.close());
    metrics.observe({ bounded: room, cache });
    const store: Store = {
      original: () => fileOriginal(join(folder, 'photo')),
      byId: async (id) => (id === '1' ? image : Promise.reject(noImage(id))),
      remove: async () => image,
      requireProduct: never,
      ofProduct: never,
      add: never,
      earlier: never,
      describe: never,
      sweep: never,
    };
    const { server, url } = await listening(
      createApp({
        store,
        clean: never,
        receive: never,
        sessions: { require: (_request, _response, next) => next() },
        renditions: createRenditions({
          render: createRender({ bounded: room, onMade: metrics.made }),
          cache,
          admit: createClients(perClient),
          ...(memory !== undefined && { memory }),
        }),
        registry,
        metrics,
        isReady: async () => true,
        log: { error: (entry: unknown) => assert.fail(JSON.stringify(entry)) },
        ...options,
      }),
    );
    closing.push(async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    });
    return {
      cache,
      get: (path, headers = {}, signal) => fetch(url + path, { headers, ...(signal && { signal }) }),
      async count(name) {
        const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
        return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? 0);
      },
    };
  }
  /** Takes all the room until it is told to leave it. */
  function occupied(inWork = 1): { bounded: Bounded; leave: () => void } {
    const bounded = createBounded({ inWork, waiting: 64, patience: 10_000 });
    const { promise, resolve } = Promise.withResolvers<void>();
    for (let n = 0; n < inWork; n++) void bounded(() => promise);
    return { bounded, leave: resolve };
  }
  const served = (cache: string, format = 'jpeg'): string =>
    `image_api_pictures_total{operation="render",format="${format}",cache="${cache}"}`;

  it('are made once for two hundred who ask at once, however they word it', async () => {
    const { bounded, leave } = occupied();
    const { get, count } = await serve({ bounded });
    const words = [
      'w=100&h=80',
      'h=80&w=100',
      'fit=cover&h=80&w=100',
      'q=82&w=100&h=80',
      'format=jpeg&w=100&h=80',
    ];
    const answers = Array.from({ length: 200 }, (_, n) => get(`/images/1?${words[n % words.length]}`));
    await until(async () => (await count('image_api_requests_in_flight')) === 201, 'all to have come');
    leave();
    const bodies = await Promise.all(
      answers.map(async (answer) => Buffer.from(await (await answer).arrayBuffer()).toString('base64')),
    );
    assert.equal(new Set(bodies).size, 1);
    assert.equal(
      new Set(await Promise.all(answers.map(async (each) => (await each).headers.get('etag')))).size,
      1,
    );
    assert.equal(await count('image_api_resize_seconds_count{format="jpeg"}'), 1);
    await until(async () => (await count(served('shared'))) >= 199, 'the answers to be counted');
    assert.deepEqual(await Promise.all(['miss', 'shared'].map((name) => count(served(name)))), [1, 199]);
  });

  it('come from memory, after a restart from the disk, and after a deletion from neither', async () => {
    const first = await serve();
    for (const name of ['miss', 'memory']) {
      assert.equal((await first.get('/images/1?w=100')).status, 200);
      await until(async () => (await first.count(served(name))) === 1, name);
    }
    await until(() => first.cache.total().entries === 1, 'the cache to have it');
    const second = await serve({ memory: 0 });
    for (let n = 1; n <= 2; n++) {
      assert.equal((await second.get('/images/1?w=100')).status, 200);
      await until(async () => (await second.count(served('disk'))) === n, 'the disk');
    }
    assert.equal(await second.count('image_api_cache_entries'), 1);
    second.cache.purge(image.sha256);
    await second.get('/images/1?w=100');
    await until(async () => (await second.count(served('miss'))) === 1, 'the next one made');
  });

  it('go on for the others when one goes away, and leave the line with the last', async () => {
    const { bounded, leave } = occupied();
    const { get } = await serve({ bounded });
    const [one, other] = [new AbortController(), new AbortController()];
    const gone = [one, other].map(({ signal }) => get('/images/1?w=100', {}, signal).catch(() => 'gone'));
    const stays = get('/images/1?w=101');
    await until(() => bounded.load().waiting === 2, 'two to wait');
    const joined = get('/images/1?w=101');
    one.abort();
    assert.equal(await gone[0], 'gone');
    assert.equal(bounded.load().waiting, 2);
    other.abort();
    await until(() => bounded.load().waiting === 1, 'nobody to want it');
    leave();
    assert.deepEqual([(await stays).status, (await joined).status], [200, 200]);
  });

  it('are limited for each client, by the address its proxy gives', async () => {
    const { bounded, leave } = occupied();
    const { get } = await serve({ bounded, perClient: 2 });
    const from = { 'x-forwarded-for': '1.2.3.4, 192.0.2.7' };
    const waiting = [101, 102].map((w) => get(`/images/1?w=${w}`, from));
    await until(() => bounded.load().waiting === 2, 'two to wait');
    const refused = await get('/images/1?w=103', { 'x-forwarded-for': '9.9.9.9, 192.0.2.7' });
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
    assert.match(await refused.text(), /"code":"TOO_MANY"/);
    const joined = get('/images/1?w=101', from);
    const another = get('/images/1?w=104', { 'x-forwarded-for': '192.0.2.8' });
    await until(() => bounded.load().waiting === 3, 'another client');
    leave();
    for (const answer of [...waiting, joined, another]) assert.equal((await answer).status, 200);
    assert.equal((await get('/images/1?w=103', from)).status, 200);
  });

  it('believe no address of a peer that is no proxy', async () => {
    const { bounded, leave } = occupied();
    const { get } = await serve({ bounded, perClient: 1, options: { trustProxy: null } });
    const first = get('/images/1?w=101', { 'x-forwarded-for': '192.0.2.7' });
    await until(() => bounded.load().waiting === 1, 'one to wait');
    assert.equal((await get('/images/1?w=102', { 'x-forwarded-for': '192.0.2.8' })).status, 429);
    leave();
    assert.equal((await first).status, 200);
  });

  it('are of allowed sizes only, where there is a list', async () => {
    const { get } = await serve({ options: { allowSize: allowSizes([320, 640]) } });
    for (const [query, status] of [
      ['w=320', 200],
      ['w=320&h=640', 200],
      ['format=webp', 200],
      ['w=321', 400],
      ['w=320&h=1', 400],
    ] as const) {
      const answer = await get(`/images/1?${query}`);
      assert.equal(answer.status, status, query);
      if (status === 400) assert.match(await answer.text(), /"detail":"[wh] is one of 320, 640/);
    }
  });

  it('are answered 304 with what caches need', async () => {
    const { get } = await serve();
    const first = await get('/images/1?w=50&format=auto', { accept: 'image/webp' });
    const { status, headers } = await get('/images/1?w=50&format=auto', {
      accept: 'image/webp',
      'if-none-match': first.headers.get('etag')!,
      // Else fetch asks for a whole answer.
      'cache-control': 'max-age=0',
    });
    assert.deepEqual(
      [status, headers.get('vary'), headers.get('cache-control'), headers.get('etag')],
      [304, 'Accept', 'public, max-age=3600', first.headers.get('etag')],
    );
  });

  it('that need too much memory are refused', async () => {
    const webp = await sharp({ create: { width: 900, height: 900, channels: 3, background: 'red' } })
      .webp()
      .toBuffer();
    writeFileSync(join(folder, 'photo'), webp);
    const small = createBounded({ inWork: 1, waiting: 1, patience: 1000, memory: 2 ** 20 });
    const { get } = await serve({ bounded: small });
    assert.equal((await get('/images/1?w=10')).status, 413);
  });
});
