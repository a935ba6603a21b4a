import express, { type RequestHandler, type Response } from 'express';
import type { AppOptions } from './app.ts';
import { linger } from './linger.ts';
import { sameOrigin } from './origin.ts';
import { Problem } from './problem.ts';
import type { Image } from './store.ts';
import { readAlt } from './upload.ts';
import { TYPES, readWish, type Kind } from './wish.ts';

/**
 * The image contract. Everybody with a session may change every picture: the shop's accounts are its own people's, and pictures have no owner. Ids that
 * can't be ids answer 404 like those that don't exist. Of ranges nothing is known: a picture is always answered whole.
 */
export function imageRoutes({
  store,
  renderer,
  receive,
  sessions,
  mirrored,
}: Pick<AppOptions, 'store' | 'renderer' | 'receive' | 'sessions' | 'mirrored'>): express.Router {
  const router = express.Router();
  const knownProduct: RequestHandler<{ product: string }> = async (request, _response, next) => {
    await store.requireProduct(request.params.product);
    next();
  };

  /** Says of a write that it can be read on both sides, if that is known. */
  const written = async (response: Response, id: string): Promise<void> => {
    if (await mirrored?.(id)) response.set('strangler-mirrored', '1');
  };

  // Session and product are checked before the body is read: nobody sends 25 MiB to be refused.
  router.post(
    '/products/:product/images',
    sameOrigin as RequestHandler<{ product: string }>,
    sessions.require as RequestHandler<{ product: string }>,
    knownProduct,
    async (request: express.Request<{ product: string }>, response) => {
      const { product } = request.params;
      const image = await receive(request as unknown as express.Request, response, async ({ path, alt }) =>
        store.add(product, await renderer.clean(path), alt),
      );
      await written(response, image.id);
      // The shop's product page has a form for this; a browser goes back to the page.
      if (request.accepts(['application/json', 'text/html']) === 'text/html')
        response.redirect(303, `/products/${product}`);
      else response.status(201).location(`/images/${image.id}`).json(described(image));
    },
  );
  router.get('/products/:product/images', knownProduct, async (request, response) => {
    const images = await store.ofProduct(request.params.product);
    response.set('cache-control', 'no-cache').json(images.map(described));
  });
  router.get('/images/:id/meta', async (request, response) => {
    response.set('cache-control', 'no-cache').json(described(await store.byId(request.params.id)));
  });
  router.get('/images/:id', async (request, response) => {
    const mark = request.originalUrl.indexOf('?');
    const query = new URLSearchParams(mark === -1 ? '' : request.originalUrl.slice(mark + 1));
    // A wrong parameter is wrong whether or not there is such a picture.
    readWish(query, 'jpeg', '');
    const image = await store.byId(request.params.id);
    const stored = image.content_type.slice('image/'.length) as Kind;
    const wish = readWish(query, stored, request.get('accept') ?? '');
    response.set({
      etag: `"${image.sha256.slice(0, 32)}${wish?.mark ?? ''}"`,
      // The picture of an id never changes; an hour is how long one that was deleted may still be shown.
      'cache-control': 'public, max-age=3600',
      'content-disposition': 'inline',
    });
    if (wish?.isNegotiated) response.vary('Accept');
    if (request.fresh) {
      response.status(304).end();
      return;
    }
    response.set('content-type', TYPES[wish?.kind ?? stored]);
    try {
      if (wish) response.end(await renderer.render(store.pathOf(image), wish, departure(response)));
      else await send(response, store.pathOf(image));
    } catch (error) {
      if (error instanceof Problem || response.destroyed) throw error;
      // Deleted while it was being read: a 404, not a failure.
      await store.byId(request.params.id);
      throw new Error(`the file of image ${image.id} can not be read`, { cause: error });
    }
  });
  router.patch(
    '/images/:id',
    express.json({ limit: '100kb' }),
    sessions.require as RequestHandler<{ id: string }>,
    async (request: express.Request<{ id: string }>, response) => {
      const body = (request.body ?? {}) as Record<string, unknown>;
      if (Object.keys(body).join() !== 'alt')
        throw new Problem(400, 'send {"alt": "…"} as JSON; nothing else of a picture can be changed');
      const image = await store.describe(request.params.id, readAlt(body['alt']));
      await written(response, image.id);
      response.json(described(image));
    },
  );
  router.delete(
    '/images/:id',
    sessions.require as RequestHandler<{ id: string }>,
    async (request, response) => {
      await store.remove(request.params.id);
      await written(response, request.params.id);
      response.status(204).end();
    },
  );
  router.use(linger());
  return router;
}

/** Aborted when the client goes away. */
function departure(response: Response): AbortSignal {
  if (response.destroyed) return AbortSignal.abort();
  const controller = new AbortController();
  response.on('close', () => controller.abort());
  return controller.signal;
}

function send(response: Response, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    response.sendFile(
      path,
      { acceptRanges: false, cacheControl: false, etag: false, lastModified: false, dotfiles: 'allow' },
      (error?: Error & { code?: string }) => {
        if (error && error.code !== 'ECONNABORTED') reject(error);
        else resolve();
      },
    );
  });
}

/** Numbers, as the sequence stays far below 2^53. */
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
