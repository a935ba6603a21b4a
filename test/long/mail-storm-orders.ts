import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { Shop } from '../support/shop.ts';

/** An order as the database has it. */
export interface OrderRow {
  readonly id: string;
  readonly email: string;
  readonly by: string;
  readonly at: number;
}

/** Addresses that the mail server refuses. */
export const POISON = /^poison/;

export const messageIdOf = ({ id }: OrderRow): string => `<order-${id}@shop.example>`;

export const ordersIn = async (pool: pg.Pool): Promise<OrderRow[]> =>
  (
    await pool.query<OrderRow>(
      'SELECT id, email, mailed_by AS "by", extract(epoch FROM created_at)::float8 * 1000 AS at FROM orders ORDER BY id',
    )
  ).rows;

/** Places the orders by a few clients, one in a thousand with an address that is refused. Resolves when all were answered and `mayEnd` says so. */
export async function orderAll(
  shop: Shop,
  { orders, rate }: { readonly orders: number; readonly rate: number },
  mayEnd: () => boolean,
  log: (line: string) => void,
): Promise<number> {
  const [product] = (await (
    await fetch(`${shop.url}/products`, { headers: { accept: 'application/json' } })
  ).json()) as [{ id: number }];
  let [next, posts] = [0, 0];
  const began = Date.now();
  const client = async (): Promise<void> => {
    while (next < orders || !mayEnd()) {
      const number = next++;
      const due = began + (number * 1000) / rate - Date.now();
      if (due > 0) await wait(due);
      const email = number % 1000 === 500 ? `poison-${number}@example.com` : `customer-${number}@example.com`;
      if (number > 0 && number % 500 === 0)
        log(`${number} orders after ${Math.round((Date.now() - began) / 1000)} s`);
      for (posts++; !(await post(shop.url, product.id, email)); posts++) await wait(500);
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  return posts;
}

/** True when the order was taken; false when nobody knows, or it was not: the client tries again, and does not know whether that is a second order. */
export async function post(url: string, product: number, email: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ product, quantity: 1, email }),
      signal: AbortSignal.timeout(10_000),
    });
    await response.body?.cancel();
    if (response.status >= 400 && response.status < 500)
      throw new Error(`an order was answered ${response.status}`);
    return response.status === 201;
  } catch (error) {
    if ((error as Error).message.startsWith('an order was answered')) throw error;
    return false;
  }
}
