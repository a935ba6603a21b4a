import express, { type RequestHandler, type Response } from 'express';
import type { AppOptions } from './app.ts';
import type { Clean } from './clean.ts';
import { described } from './described.ts';
import { takeIn } from './intake.ts';
import { linger } from './linger.ts';
import { sameOrigin } from './origin.ts';
import { servePicture } from './picture.ts';
import type { PictureMetrics } from './picture-metrics.ts';
import { Problem } from './problem.ts';
import { allowSizes } from './sizes.ts';
import { readAlt } from './upload.ts';

export interface ImageRoutesOptions extends Pick<
  AppOptions,
  'store' | 'clean' | 'renditions' | 'receive' | 'sessions' | 'mirrored' | 'allowSize'
> {
  readonly metrics: PictureMetrics;
}

/**
 * The image contract. Everybody with a session may change every picture: the shop's accounts are its own people's, and pictures have no owner. Ids that
 * can't be ids answer 404 like those that don't exist. A stored picture is sent in ranges too; a version made of it always whole.
 */
export function imageRoutes({
  store,
  clean,
  renditions,
  receive,
  sessions,
  mirrored,
  metrics,
  allowSize = allowSizes(null),
}: ImageRoutesOptions): express.Router {
  const router = express.Router();
  const counted: Clean = (received, keep) =>
    clean(received, async (cleaned) => {
      const kept = await keep(cleaned);
      metrics.done('upload', cleaned.kind, 'none');
      return kept;
    });
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
    takeIn({ store, receive, clean: counted, written }),
  );
  router.get('/products/:product/images', knownProduct, async (request, response) => {
    const images = await store.ofProduct(request.params.product);
    response.set('cache-control', 'no-cache').json(images.map(described));
  });
  router.get('/images/:id/meta', async (request, response) => {
    response.set('cache-control', 'no-cache').json(described(await store.byId(request.params.id)));
  });
  router.get('/images/:id', servePicture({ store, renditions, allowSize, metrics }));
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
      renditions.purge(await store.remove(request.params.id));
      await written(response, request.params.id);
      response.status(204).end();
    },
  );
  router.use(linger());
  return router;
}
