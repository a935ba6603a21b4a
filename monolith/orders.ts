import { timingSafeEqual } from 'node:crypto';
import express from 'express';
import type pg from 'pg';
import type { Logger } from 'pino';
import { Problem } from './errors.ts';
import { isForm, wantsPage } from './login.ts';
import type { Mail } from './mail.ts';
import { UnsafeJob } from './mail-job.ts';
import { price } from './price.ts';
import { findProduct, isId } from './products.ts';
import type { Sessions } from './sessions.ts';
import { addOrder, orderById } from './store.ts';

/**
 * Orders. Ids are consecutive, so an id alone shows nothing, or anybody could read through what the shop sells and to whom: who ordered
 * logged in sees the order when logged in; everybody else through the link in the answer's Location, whose `key` only the shop can make. Whose an
 * order is does not show either: all others hear 404. `mail` says who is to confirm the order, is told of it and sends in its own time, so an order is never
 * lost, slow or refused because a mail server, a queue or whoever answers flags is.
 */
export function orderRoutes(
  pool: pg.Pool,
  sessions: Sessions,
  mail: Pick<Mail, 'senderFor' | 'wake'>,
  log: Pick<Logger, 'error'>,
): express.Router {
  const router = express.Router();
  router.post('/orders', async (request, response) => {
    const user = await sessions.userOf(request);
    const { product, quantity, email } = readOrder(request.body, user);
    const found = await findProduct(pool, product);
    const sender = await mail.senderFor(email);
    const order = await addOrder(
      pool,
      found,
      quantity,
      { userId: user?.id ?? null, email },
      sender,
      (error) => log.error({ err: error }, "an order's mail could not be queued; it is sent from here"),
    ).catch((error: unknown) => {
      throw error instanceof UnsafeJob
        ? new Problem('BAD_REQUEST', `the confirmation can't be sent: ${error.message}`)
        : error;
    });
    mail.wake();
    const path = `/orders/${order.id}${user ? '' : `?key=${sessions.mark(`order ${order.id}`)}`}`;
    response.set('cache-control', 'no-store');
    if (isForm(request)) response.redirect(303, path);
    else response.status(201).location(path).json(order);
  });
  router.get('/orders/:id', async (request, response) => {
    const { id } = request.params;
    if (!isId(id)) throw new Problem('BAD_REQUEST', 'order: an id is a whole number from 1 on');
    const [found, user] = await Promise.all([orderById(pool, id), sessions.userOf(request)]);
    const isTheirs =
      found?.userId === null
        ? isMark(request.query['key'], sessions.mark(`order ${id}`))
        : found?.userId === user?.id;
    if (!found || !isTheirs)
      throw new Problem(
        'NOT_FOUND',
        `there is no order ${id} of yours; log in, or use the link you were given`,
      );
    const { order } = found;
    response.vary('Accept').set('cache-control', 'private, no-store');
    if (!wantsPage(request)) response.json(order);
    else
      response.render('order', {
        user,
        order,
        total: price({ priceCents: order.totalCents, currency: order.currency }),
      });
  });
  return router;
}

function isMark(given: unknown, mark: string): boolean {
  if (typeof given !== 'string') return false;
  const bytes = Buffer.from(given);
  const wanted = Buffer.from(mark);
  return bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
}

/** Whoever is logged in gets the confirmation at the account's address, whatever the request says. */
function readOrder(
  body: unknown,
  user: { email: string } | null,
): { product: string; quantity: number; email: string } {
  const { product, quantity = 1, email: given } = (body ?? {}) as Record<string, unknown>;
  const email = user?.email ?? given;
  // A form has no numbers.
  const count = typeof quantity === 'string' && /^\d{1,4}$/.test(quantity) ? Number(quantity) : quantity;
  const id = typeof product === 'number' ? String(product) : product;
  const isProduct = typeof id === 'string' && isId(id);
  const isCount = typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= 1000;
  const isEmail = user !== null || isAddress(email);
  if (isProduct && isCount && isEmail) return { product: id, quantity: count, email: email as string };
  const faults = [
    isProduct ? [] : 'product: the id of a product, a whole number from 1 on',
    isCount ? [] : 'quantity: a whole number from 1 to 1000',
    isEmail ? [] : 'email: one address, as in ana@example.com, or log in',
  ].flat();
  throw new Problem('BAD_REQUEST', faults.join('; '), null, faults);
}

/** One address and nothing else: it ends up in the head of a mail. What passes here may be queued too (mail-job.ts), so that no order depends on who sends its mail. */
function isAddress(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= 254 &&
    /^[^\s\p{C}@<>",;:\\[\]()]{1,64}@[^\s\p{C}@<>",;:\\[\]()]+\.[^\s\p{C}@<>",;:\\[\]()]+$/u.test(value)
  );
}
