import type { RequestHandler } from 'express';
import { clientOf } from './clients.ts';
import { departure } from './departure.ts';
import { Problem } from './problem.ts';
import type { PictureMetrics } from './picture-metrics.ts';
import type { Renditions } from './renditions.ts';
import type { AllowSize } from './sizes.ts';
import { sendOriginal } from './send-original.ts';
import type { Store } from './store.ts';
import { TYPES, readWish, type Kind } from './wish.ts';

export interface PictureOptions {
  readonly store: Store;
  readonly renditions: Renditions;
  readonly allowSize: AllowSize;
  readonly metrics: Pick<PictureMetrics, 'done'>;
}

/** `GET /images/{id}`: the stored picture, or the version of it that the query asks for. */
export function servePicture({
  store,
  renditions,
  allowSize,
  metrics,
}: PictureOptions): RequestHandler<{ id: string }> {
  return async (request, response) => {
    const mark = request.originalUrl.indexOf('?');
    const query = new URLSearchParams(mark === -1 ? '' : request.originalUrl.slice(mark + 1));
    // A wrong parameter is wrong whether or not there is such a picture.
    const asked = readWish(query, 'jpeg', '');
    if (asked) allowSize(asked);
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
      if (!wish) {
        await sendOriginal(request, response, store.original(image), image.bytes);
        metrics.done('original', stored, 'none');
        return;
      }
      const atHand = renditions.atHand(image, wish);
      const { bytes, source } = atHand
        ? { bytes: atHand, source: 'memory' as const }
        : await renditions.of(image, wish, () => store.original(image), {
            signal: departure(response),
            client: clientOf(request),
          });
      // Told here, as nobody else would for HEAD.
      response.set('content-length', String(bytes.length)).end(bytes);
      metrics.done('render', wish.kind, source);
    } catch (error) {
      if (error instanceof Problem || response.destroyed) throw error;
      // Deleted while it was being read: a 404, not a failure.
      await store.byId(request.params.id);
      throw new Error(`the file of image ${image.id} can not be read`, { cause: error });
    }
  };
}
