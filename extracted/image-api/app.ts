import { Counter, Gauge, Registry, collectDefaultMetrics } from '@prometheus-io/client';
import express from 'express';
import type { Logger } from 'pino';
import { createBounded, type BoundedOptions } from './bounded.ts';
import { noSuchRoute, Problem, problems } from './problem.ts';
import { IN_WORK, clean, render } from './render.ts';
import type { SessionCheck } from './session.ts';
import type { Image, Store } from './store.ts';
import { readAlt, receiveUpload } from './upload.ts';
import { TYPES, readWish, type Kind } from './wish.ts';

export interface AppOptions {
  readonly store: Store;
  readonly sessions: Pick<SessionCheck, 'require'>;
  /** Answers whether requests should be sent here. */
  readonly isReady: () => Promise<boolean>;
  readonly log: Pick<Logger, 'error'>;
  /** Default: two in work per two cores, 64 waiting for up to 10 s. */
  readonly limits?: BoundedOptions;
}

/** The image contract, and what operators ask of every process. */
export function createApp({
  store,
  sessions,
  isReady,
  log,
  limits = { inWork: IN_WORK, waiting: 64, patience: 10_000 },
}: AppOptions): express.Express {
  const bounded = createBounded(limits);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'image_api_requests_total',
    help: 'Requests by route and status',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const inFlight = new Gauge({
    name: 'image_api_requests_in_flight',
    help: 'Requests that are being answered',
    registers: [registry],
  });

  const app = express();
  app.disable('x-powered-by');
  app.use((request, response, next) => {
    response.set('x-content-type-options', 'nosniff');
    inFlight.inc();
    response.on('close', () => {
      inFlight.dec();
      requests.inc({
        method: request.method,
        route: (request.route as { path?: string } | undefined)?.path ?? 'none',
        status: String(response.statusCode),
      });
    });
    next();
  });
  app.get('/livez', (_request, response) => void response.json({ status: 'live' }));
  app.get('/readyz', async (_request, response) => {
    const ready = await isReady();
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready' });
  });
  app.get(
    '/metrics',
    async (_request, response) => void response.type(registry.contentType).send(await registry.metrics()),
  );

  // Session and product are checked before the body is read: nobody sends 25 MiB to be refused.
  const knownProduct: express.RequestHandler<{ product: string }> = async (request, _response, next) => {
    await store.requireProduct(request.params.product);
    next();
  };
  app.post(
    '/products/:product/images',
    sessions.require,
    knownProduct,
    receiveUpload(store.incoming) as express.RequestHandler<{ product: string }>,
    async (request, response) => {
      const alt = readAlt((request.body as { alt?: unknown }).alt ?? '');
      const image = await store.add(request.params.product, await clean(request.file!.path, bounded), alt);
      if ((request.get('accept') ?? '').includes('text/html'))
        response.redirect(303, `/products/${request.params.product}`);
      else response.status(201).location(`/images/${image.id}`).json(described(image));
    },
  );
  app.get('/products/:product/images', knownProduct, async (request, response) => {
    response
      .set('cache-control', 'no-cache')
      .json((await store.ofProduct(request.params.product)).map(described));
  });
  app.get('/images/:id', async (request, response) => {
    const query = new URL(request.originalUrl, 'http://image-api').searchParams;
    // A wrong parameter is wrong whether or not there is such a picture.
    readWish(query, 'jpeg', '');
    const image = await store.byId(request.params.id);
    const stored = image.content_type.slice('image/'.length) as Kind;
    const wish = readWish(query, stored, request.get('accept') ?? '');
    response.set({
      etag: `"${image.sha256.slice(0, 32)}${wish?.mark ?? ''}"`,
      'cache-control': 'public, max-age=3600',
      'content-type': TYPES[wish?.kind ?? stored],
      'content-disposition': 'inline',
    });
    if (wish?.isNegotiated) response.vary('Accept');
    if (request.fresh) {
      response.status(304).end();
      return;
    }
    if (wish) {
      const gone = new AbortController();
      response.on('close', () => gone.abort());
      const bytes = await bounded(() => render(store.pathOf(image), wish), gone.signal);
      response.end(bytes);
      return;
    }
    await new Promise<void>((done, fail) => {
      response.sendFile(
        store.pathOf(image),
        { acceptRanges: false, cacheControl: false, etag: false, lastModified: false, dotfiles: 'allow' },
        (error?: Error & { code?: string }) => {
          if (error && error.code !== 'ECONNABORTED')
            fail(new Error(`the file of image ${image.id} can not be read`, { cause: error }));
          else done();
        },
      );
    });
  });
  app.get(
    '/images/:id/meta',
    async (request, response) =>
      void response.set('cache-control', 'no-cache').json(described(await store.byId(request.params.id))),
  );
  app.patch(
    '/images/:id',
    sessions.require,
    express.json({ limit: '100kb' }),
    async (request: express.Request<{ id: string }>, response) => {
      const body = (request.body ?? {}) as Record<string, unknown>;
      if (Object.keys(body).join() !== 'alt')
        throw new Problem(400, 'send {"alt": "…"}; nothing else of a picture can be changed');
      response.json(described(await store.describe(request.params.id, readAlt(body['alt']))));
    },
  );
  app.delete('/images/:id', sessions.require, async (request: express.Request<{ id: string }>, response) => {
    await store.remove(request.params.id);
    response.status(204).end();
  });
  app.use(noSuchRoute);
  app.use(problems(log));
  return app;
}

function described({
  id,
  product_id,
  content_type,
  width,
  height,
  bytes,
  alt,
}: Image): Record<string, unknown> {
  return {
    id: Number(id),
    product: Number(product_id),
    url: `/images/${id}`,
    contentType: content_type,
    width,
    height,
    bytes,
    alt,
  };
}
