import express, { type Request, type Response } from 'express';
import type pg from 'pg';
import { Problem } from './errors.ts';
import { isForm, wantsPage } from './login.ts';
import type { WithPictures } from './pictures-elsewhere.ts';
import { price } from './price.ts';
import { reviewsOf } from './reviews-store.ts';
import type { Sessions } from './sessions.ts';
import { addProduct, allProducts, productById, type Product } from './store.ts';

/** The storefront and its products, as pages and as JSON. `withPictures`: when the pictures are no longer in our database. */
export function productRoutes(
  pool: pg.Pool,
  sessions: Sessions,
  withPictures: WithPictures = async (products) => [...products],
): express.Router {
  const router = express.Router();

  const page = async (request: Request, response: Response, view: string, data: object): Promise<void> => {
    const user = await sessions.userOf(request);
    response.set('cache-control', 'private, no-store').render(view, { user, price, ...data });
  };
  router.get('/', async (request, response) => {
    await page(request, response, 'storefront', { products: await withPictures(await allProducts(pool)) });
  });
  router.get('/products', async (request, response) => {
    const products = await withPictures(await allProducts(pool));
    response.vary('Accept');
    if (wantsPage(request)) await page(request, response, 'storefront', { products });
    else response.set('cache-control', 'no-cache').json(products);
  });
  router.get('/products/:id', async (request, response) => {
    const [product] = await withPictures([await findProduct(pool, request.params.id)]);
    response.vary('Accept');
    if (wantsPage(request))
      await page(request, response, 'product', { product, reviews: await reviewsOf(pool, product!) });
    else response.set('cache-control', 'no-cache').json(product);
  });
  router.post('/products', async (request, response) => {
    if (!(await sessions.userOf(request))) throw new Problem('UNAUTHENTICATED', 'log in to add a product');
    const product = await addProduct(pool, readProduct(request.body));
    if (isForm(request)) response.redirect(303, `/products/${product.id}`);
    else response.status(201).location(`/products/${product.id}`).json(product);
  });
  return router;
}

/** Throws BAD_REQUEST for what can't be an id, NOT_FOUND for one that nobody has. */
export async function findProduct(pool: pg.Pool, id: string): Promise<Product> {
  if (!isId(id)) throw new Problem('BAD_REQUEST', 'product: an id is a whole number from 1 on');
  const product = await productById(pool, id);
  if (!product) throw new Problem('NOT_FOUND', `there is no product ${id}`);
  return product;
}

/** A positive bigint in decimal, as the database's sequences make them. */
export function isId(text: string): boolean {
  return /^[1-9]\d{0,18}$/.test(text) && BigInt(text) <= 9223372036854775807n;
}

/** Text that the database takes: it has no place for U+0000. */
export function isText(value: unknown, shortest: number, longest: number): value is string {
  return (
    typeof value === 'string' &&
    value.trim().length >= shortest &&
    value.length <= longest &&
    !value.includes('\0')
  );
}

function readProduct(body: unknown): Pick<Product, 'name' | 'description' | 'priceCents' | 'currency'> {
  const { name, description = '', priceCents, currency = 'EUR' } = (body ?? {}) as Record<string, unknown>;
  // A form has no numbers.
  const cents =
    typeof priceCents === 'string' && /^\d{1,9}$/.test(priceCents) ? Number(priceCents) : priceCents;
  const isName = isText(name, 1, 200);
  const isDescription = isText(description, 0, 10_000);
  const isPrice = typeof cents === 'number' && Number.isInteger(cents) && cents >= 0 && cents <= 100_000_000;
  const isCurrency = typeof currency === 'string' && /^[A-Z]{3}$/.test(currency);
  if (isName && isDescription && isPrice && isCurrency)
    return { name: name.trim(), description, priceCents: cents, currency };
  const faults = [
    isName ? [] : 'name: 1 to 200 characters',
    isDescription ? [] : 'description: up to 10000 characters',
    isPrice ? [] : 'priceCents: a whole number from 0 to 100000000',
    isCurrency ? [] : 'currency: three capital letters',
  ].flat();
  throw new Problem('BAD_REQUEST', faults.join('; '), null, faults);
}
