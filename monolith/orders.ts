import { timingSafeEqual } from 'node:crypto';
import express from 'express';
import type pg from 'pg';
import { Problem } from './errors.ts';
import { isForm } from './login.ts';
import { isId, price, productById, wantsJson } from './products.ts';
import type { Sessions } from './sessions.ts';

interface Order {
  readonly id: number;
  readonly product: number;
  readonly productName: string;
  readonly quantity: number;
  readonly totalCents: number;
  readonly currency: string;
  readonly email: string;
}

/**
 * Orders. Ids are consecutive, so an id alone shows nothing: who ordered logged in sees the order when logged in, everybody else through the
 * unguessable link that the order's answer (and its mail) carries. `mail` is told of each order and sends on its own time: an order
 * is never lost, slow or refused because a mail server is.
 */
export function orderRoutes(pool: pg.Pool, sessions: Sessions, mail: { wake(): void }): express.Router {
  const router = express.Router();
  router.post('/orders', async (request, response) => {
    const { product, quantity, email } = (request.body ?? {}) as Record<string, unknown>;
    const user = await sessions.userOf(request);
    const address = user?.email ?? readEmail(email);
    const count = readQuantity(quantity ?? 1);
    const ordered = await productById(pool, String(product ?? ''));
    const { rows } = await pool.query<{ id: string }>(
      'INSERT INTO orders (product_id, user_id, email, quantity, total_cents, currency) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id',
      [ordered.id, user?.id ?? null, address, count, ordered.priceCents * count, ordered.currency],
    );
    mail.wake();
    const order = (await orderById(pool, rows[0]!.id))!.order;
    const path = orderPath(sessions, order.id, user !== null);
    if (isForm(request)) response.redirect(303, path);
    else response.status(201).location(path).json(order);
  });
  router.get('/orders/:id', async (request, response) => {
    const { id } = request.params;
    const found = isId(id) ? await orderById(pool, id) : null;
    const user = await sessions.userOf(request);
    const isOwner =
      found !== null &&
      (found.userId === null
        ? isMark(request.query['key'], sessions.mark(`order ${id}`))
        : found.userId === user?.id);
    if (!found || !isOwner)
      throw new Problem(
        'NOT_FOUND',
        `there is no order ${id} of yours; log in, or use the link you were given`,
      );
    response.vary('Accept').set('cache-control', 'private, no-store');
    if (wantsJson(request)) response.json(found.order);
    else
      response.render('order', {
        user,
        order: found.order,
        total: price({ priceCents: found.order.totalCents, currency: found.order.currency }),
      });
  });
  return router;
}

/** Where an order is shown; with its mark when nobody was logged in. */
export function orderPath(sessions: Pick<Sessions, 'mark'>, id: number, hasOwner: boolean): string {
  return `/orders/${id}${hasOwner ? '' : `?key=${sessions.mark(`order ${id}`)}`}`;
}

function isMark(given: unknown, mark: string): boolean {
  return (
    typeof given === 'string' &&
    given.length === mark.length &&
    timingSafeEqual(Buffer.from(given), Buffer.from(mark))
  );
}

async function orderById(pool: pg.Pool, id: string): Promise<{ order: Order; userId: string | null } | null> {
  const { rows } = await pool.query<{
    id: string;
    product_id: string;
    name: string;
    user_id: string | null;
    email: string;
    quantity: number;
    total_cents: string;
    currency: string;
  }>(
    'SELECT o.id, o.product_id, p.name, o.user_id, o.email, o.quantity, o.total_cents, o.currency FROM orders o JOIN products p ON p.id = o.product_id WHERE o.id = $1',
    [id],
  );
  const row = rows[0];
  if (!row) return null;
  const order = {
    id: Number(row.id),
    product: Number(row.product_id),
    productName: row.name,
    quantity: row.quantity,
    totalCents: Number(row.total_cents),
    currency: row.currency,
    email: row.email,
  };
  return { order, userId: row.user_id };
}

function readQuantity(value: unknown): number {
  const quantity = typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : value;
  if (typeof quantity !== 'number' || !Number.isInteger(quantity) || quantity < 1 || quantity > 1000)
    throw new Problem('BAD_REQUEST', 'quantity: a whole number from 1 to 1000');
  return quantity;
}

/** One address and nothing else: it ends up in the head of a mail. */
function readEmail(value: unknown): string {
  if (value === undefined || value === '')
    throw new Problem('UNAUTHENTICATED', 'log in, or give an email for the confirmation');
  if (
    typeof value !== 'string' ||
    value.length > 254 ||
    !/^[^\s@<>",;:\\[\]()]+@[^\s@<>",;:\\[\]()]+\.[^\s@<>",;:\\[\]()]+$/.test(value)
  )
    throw new Problem('BAD_REQUEST', 'email: one address, as in ana@example.com');
  return value;
}
