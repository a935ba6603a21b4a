import express from 'express';
import type pg from 'pg';
import { Problem } from './errors.ts';
import { isForm } from './login.ts';
import { findProduct, isText } from './products.ts';
import { addReview, reviewsOf, type Review } from './reviews-store.ts';
import type { Sessions } from './sessions.ts';

/** What customers say of a product: everybody reads it, who is logged in writes it, under the name of the account. */
export function reviewRoutes(pool: pg.Pool, sessions: Sessions): express.Router {
  const router = express.Router();
  router.get('/products/:product/reviews', async (request, response) => {
    const product = await findProduct(pool, request.params.product);
    response.set('cache-control', 'no-cache').json(await reviewsOf(pool, product));
  });
  router.post('/products/:product/reviews', async (request, response) => {
    const user = await sessions.userOf(request);
    if (!user) throw new Problem('UNAUTHENTICATED', 'log in to write a review');
    const { stars, body } = readReview(request.body);
    const product = await findProduct(pool, request.params.product);
    const review = await addReview(pool, product, { author: user.name, stars, body });
    const path = `/products/${product.id}`;
    if (isForm(request)) response.redirect(303, `${path}#reviews`);
    else response.status(201).location(`${path}/reviews`).json(review);
  });
  return router;
}

function readReview(given: unknown): Pick<Review, 'stars' | 'body'> {
  const { stars, body = '' } = (given ?? {}) as Record<string, unknown>;
  // A form has no numbers, and ends its lines as mail does.
  const count = typeof stars === 'string' && /^[1-5]$/.test(stars) ? Number(stars) : stars;
  const text = typeof body === 'string' ? body.replaceAll('\r\n', '\n').trim() : body;
  const isCount = typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= 5;
  const isBody = isText(text, 0, 4000);
  if (isCount && isBody) return { stars: count, body: text };
  const faults = [
    isCount ? [] : 'stars: a whole number from 1 to 5',
    isBody ? [] : 'body: up to 4000 characters',
  ].flat();
  throw new Problem('BAD_REQUEST', faults.join('; '), null, faults);
}
