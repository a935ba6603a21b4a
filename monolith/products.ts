import express, { type Request } from 'express';
import type pg from 'pg';
import { Problem } from './errors.ts';
import { isForm, wantsPage } from './login.ts';
import type { Sessions } from './sessions.ts';

export interface Product {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly priceCents: number;
  readonly currency: string;
  readonly images: readonly {
    readonly id: number;
    readonly alt: string;
    readonly width: number;
    readonly height: number;
  }[];
}

/** The storefront and its products, as pages and as JSON. */
export function productRoutes(pool: pg.Pool, sessions: Sessions): express.Router {
  const router = express.Router();

  const list = async (request: Request, response: express.Response): Promise<void> => {
    const products = await allProducts(pool);
    response.vary('Accept');
    if (wantsJson(request)) response.json(products);
    else
      response
        .set('cache-control', 'private, no-store')
        .render('storefront', { user: await sessions.userOf(request), products, price });
  };
  router.get('/', async (request, response) => {
    response.set('cache-control', 'private, no-store').render('storefront', {
      user: await sessions.userOf(request),
      products: await allProducts(pool),
      price,
    });
  });
  router.get('/products', list);
  router.get('/products/:id', async (request, response) => {
    const product = await productById(pool, request.params.id);
    response.vary('Accept');
    if (wantsJson(request)) response.json(product);
    else
      response
        .set('cache-control', 'private, no-store')
        .render('product', { user: await sessions.userOf(request), product, price });
  });
  router.post('/products', async (request, response) => {
    if (!(await sessions.userOf(request))) throw new Problem('UNAUTHENTICATED', 'log in to add a product');
    const { name, description, priceCents, currency } = readProduct(request.body);
    const { rows } = await pool.query<{ id: string }>(
      'INSERT INTO products (name, description, price_cents, currency) VALUES ($1, $2, $3, $4) RETURNING id',
      [name, description, priceCents, currency],
    );
    const product = await productById(pool, rows[0]!.id);
    if (isForm(request)) response.redirect(303, `/products/${product.id}`);
    else response.status(201).location(`/products/${product.id}`).json(product);
  });
  return router;
}

/** JSON for whoever asks for it by name, or takes anything; pages for browsers. */
export function wantsJson(request: Request): boolean {
  return !wantsPage(request);
}

export function price({ priceCents, currency }: Pick<Product, 'priceCents' | 'currency'>): string {
  return new Intl.NumberFormat('en-IE', { style: 'currency', currency }).format(priceCents / 100);
}

const SELECT = `
  SELECT p.id, p.name, p.description, p.price_cents, p.currency,
         coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'alt', i.alt, 'width', i.width, 'height', i.height) ORDER BY i.id) FILTER (WHERE i.id IS NOT NULL), '[]') AS images
  FROM products p LEFT JOIN images i ON i.product_id = p.id`;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly price_cents: number;
  readonly currency: string;
  readonly images: Product['images'];
}

function fromRow(row: Row): Product {
  return {
    id: Number(row.id),
    name: row.name,
    description: row.description,
    priceCents: row.price_cents,
    currency: row.currency,
    images: row.images,
  };
}

async function allProducts(pool: pg.Pool): Promise<Product[]> {
  const { rows } = await pool.query<Row>(`${SELECT} GROUP BY p.id ORDER BY p.id LIMIT 500`);
  return rows.map(fromRow);
}

/** Throws NOT_FOUND, also for what can't be an id. */
export async function productById(pool: pg.Pool, id: string): Promise<Product> {
  const { rows } = isId(id)
    ? await pool.query<Row>(`${SELECT} WHERE p.id = $1 GROUP BY p.id`, [id])
    : { rows: [] };
  if (!rows[0]) throw new Problem('NOT_FOUND', `there is no product ${id}`);
  return fromRow(rows[0]);
}

/** A positive bigint in decimal, as the database's sequences make them. */
export function isId(text: string): boolean {
  return /^[1-9]\d{0,18}$/.test(text) && BigInt(text) <= 9223372036854775807n;
}

function readProduct(body: unknown): {
  name: string;
  description: string;
  priceCents: number;
  currency: string;
} {
  const { name, description = '', priceCents, currency = 'EUR' } = (body ?? {}) as Record<string, unknown>;
  const cents = typeof priceCents === 'string' && /^\d+$/.test(priceCents) ? Number(priceCents) : priceCents;
  const faults: string[] = [];
  if (typeof name !== 'string' || name.trim() === '' || name.length > 200)
    faults.push('name: 1 to 200 characters');
  if (typeof description !== 'string' || description.length > 10_000)
    faults.push('description: up to 10000 characters');
  if (typeof cents !== 'number' || !Number.isInteger(cents) || cents < 0 || cents > 100_000_000)
    faults.push('priceCents: a whole number from 0 to 100000000');
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency))
    faults.push('currency: three capital letters');
  if (faults.length > 0) throw new Problem('BAD_REQUEST', faults.join('; '));
  return {
    name: (name as string).trim(),
    description: description as string,
    priceCents: cents as number,
    currency: currency as string,
  };
}
