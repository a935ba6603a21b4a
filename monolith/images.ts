import { join } from 'node:path';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { Logger } from 'pino';
import { Problem } from './errors.ts';
import { IMAGE_LIMITS, type ImageLimits } from './images-limits.ts';
import { createLine, processLine } from './images-line.ts';
import { changeAlt, findImage, findProduct, imagesOf, remove, store } from './images-store.ts';
import type { Image, ImageStore } from './images-store.ts';
import { hearOut, readAlt, uploads } from './images-upload.ts';
import { chosenFormat, contentType, readWish, variantOf, type StoredFormat } from './images-wish.ts';
import { isForm, wantsPage } from './login.ts';
import { render, sanitise } from './resize.ts';
import type { Mirrored } from './mirrored.ts';
import type { User } from './sessions.ts';

export interface ImageParts extends ImageStore {
  readonly userOf: (request: Request) => Promise<User | null>;
  readonly log: Pick<Logger, 'error'>;
  /** Asked after each write while data moves; the answer is told in Strangler-Mirrored. */
  readonly mirrored?: Mirrored | undefined;
  /** Instead of the presets. */
  readonly limits?: Partial<ImageLimits>;
}

/**
 * Pictures of products: upload, list, serve at any size, describe, delete. Everybody with an account may change them: the shop has no accounts but
 * its own people's, and no picture belongs to one of them.
 */
export function imageRoutes(parts: ImageParts): express.Router {
  const { pool, blobDir, userOf, log } = parts;
  const limits = { ...IMAGE_LIMITS, ...parts.limits };
  const line = parts.limits ? createLine(limits) : processLine;
  const withUpload = uploads(blobDir, limits);
  const router = express.Router();

  const acknowledge = async (response: Response, id: string): Promise<void> => {
    if (await parts.mirrored?.(id)) response.set('strangler-mirrored', '1');
  };

  const loggedIn = async (request: Request, _response: Response, next: NextFunction): Promise<void> => {
    if (!(await userOf(request))) throw new Problem('UNAUTHENTICATED', 'log in to change pictures');
    next();
  };
  const productExists = async (
    request: Request<{ product: string }>,
    _response: Response,
    next: NextFunction,
  ): Promise<void> => {
    await findProduct(pool, request.params.product);
    next();
  };

  // Who and what for is settled before the body is read: nobody uploads 25 MiB to hear that he may not.
  router.post(
    '/products/:product/images',
    loggedIn,
    productExists,
    async (request: Request<{ product: string }>, response) => {
      const { product } = request.params;
      const image = await withUpload(request, response, ({ path, alt }) =>
        store(parts, product, path, alt, (path) => sanitise(path, line, limits)),
      );
      await acknowledge(response, image.id);
      if (isForm(request) && wantsPage(request)) response.redirect(303, `/products/${product}`);
      else response.status(201).location(`/images/${image.id}`).json(asJson(image));
    },
  );
  router.get(
    '/products/:product/images',
    productExists,
    async (request: Request<{ product: string }>, response) => {
      const images = await imagesOf(pool, request.params.product);
      response.set('cache-control', 'no-cache').json(images.map(asJson));
    },
  );
  router.get('/images/:id/meta', async (request, response) => {
    response.set('cache-control', 'no-cache').json(asJson(await findImage(pool, request.params.id)));
  });
  router.get('/images/:id', async (request, response) => {
    const wish = readWish(request.originalUrl);
    const image = await findImage(pool, request.params.id);
    const stored = image.content_type.slice('image/'.length) as StoredFormat;
    const format = wish ? chosenFormat(wish, stored, request.get('accept') ?? '') : stored;
    const variant = wish ? variantOf(wish, format) : '';
    response.set({
      etag: `"${image.sha256.slice(0, 32)}${variant}"`,
      // What is under an id never changes, but it can be deleted: an hour is what that may take to be seen.
      'cache-control': 'public, max-age=3600',
      'content-disposition': 'inline',
    });
    if (wish?.format === 'auto') response.vary('Accept');
    if (request.fresh) {
      response.status(304).end();
      return;
    }
    response.set('content-type', contentType(format));
    try {
      const path = join(blobDir, image.file);
      if (wish && format !== 'gif') {
        const made = await render(path, wish, format, goneSignal(response), line, limits);
        // Told here, as nobody else would for HEAD.
        response.set('content-length', String(made.length)).end(made);
      } else await sendFile(response, path);
    } catch (error) {
      if (error instanceof Problem || response.destroyed) throw error;
      // Deleted since the row was read: then it is simply not there.
      await findImage(pool, request.params.id);
      throw new Error(`the file of image ${image.id} can not be read`, { cause: error });
    }
  });
  router.patch('/images/:id', loggedIn, async (request: Request<{ id: string }>, response) => {
    const body = request.is('application/json') ? (request.body as Record<string, unknown>) : {};
    if (Object.keys(body).join() !== 'alt')
      throw new Problem('BAD_REQUEST', 'send {"alt": "…"} as JSON; nothing else can be changed');
    const alt = readAlt(body['alt'], limits.maxAlt);
    const image = await changeAlt(pool, request.params.id, alt);
    await acknowledge(response, image.id);
    response.json(asJson(image));
  });
  router.delete('/images/:id', loggedIn, async (request: Request<{ id: string }>, response) => {
    await remove(parts, request.params.id, log);
    await acknowledge(response, request.params.id);
    response.status(204).end();
  });
  router.use(hearOut);
  return router;
}

/** Fires when the client goes away. */
function goneSignal(response: Response): AbortSignal {
  const gone = new AbortController();
  if (response.destroyed) gone.abort();
  else response.on('close', () => gone.abort());
  return gone.signal;
}

function sendFile(response: Response, path: string): Promise<void> {
  const options = { acceptRanges: false, cacheControl: false, etag: false, lastModified: false };
  return new Promise((done, fail) => {
    response.sendFile(path, { ...options, dotfiles: 'allow' }, (error?: Error & { code?: string }) =>
      // Aborted by the client: nothing went wrong here.
      error && error.code !== 'ECONNABORTED' ? fail(error) : done(),
    );
  });
}

function asJson(image: Image): Record<string, unknown> {
  const { id, product_id, content_type, width, height, bytes, alt } = image;
  return {
    // A sequence that counts from 1 stays far below 2^53.
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
