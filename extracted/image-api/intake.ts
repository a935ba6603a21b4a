import type { Request, Response } from 'express';
import type { Clean } from './clean.ts';
import { described } from './described.ts';
import { claimFor, readKey } from './idempotency.ts';
import type { Store } from './store.ts';
import type { Receive } from './upload.ts';

export interface IntakeOptions {
  readonly store: Store;
  readonly receive: Receive;
  readonly clean: Clean;
  /** Says in the answer whether a write can be read on both sides. */
  readonly written: (response: Response, id: string) => Promise<void>;
}

/** `POST /products/{product}/images`, after session and product were checked. */
export function takeIn({ store, receive, clean, written }: IntakeOptions) {
  return async (request: Request<{ product: string }>, response: Response): Promise<void> => {
    const { product } = request.params;
    const key = readKey(request.get('idempotency-key'));
    const { image, isNew } = await receive(request as unknown as Request, response, async (received) => {
      const { sha256, alt } = received;
      const claim =
        key === null ? null : claimFor(String(response.locals['user']), key, [product, sha256, alt]);
      // Sent again, and answered again without the work.
      const before = claim && (await store.earlier(claim));
      if (before) return { image: before, isNew: false };
      return clean(received, (cleaned) => store.add(product, cleaned, alt, claim));
    });
    if (!isNew) response.set('idempotency-replayed', 'true');
    await written(response, image.id);
    // The shop's product page has a form for this; a browser goes back to the page.
    if (request.accepts(['application/json', 'text/html']) === 'text/html')
      response.redirect(303, `/products/${product}`);
    else response.status(201).location(`/images/${image.id}`).json(described(image));
  };
}
