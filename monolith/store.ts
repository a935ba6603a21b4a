import type pg from 'pg';
import type { Sender } from './mail.ts';
import { UnsafeJob } from './mail-job.ts';

export interface Product {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  /** In the currency's smallest unit. */
  readonly priceCents: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly images: readonly {
    readonly id: number;
    readonly alt: string;
    readonly width: number;
    readonly height: number;
  }[];
}

export interface Order {
  readonly id: number;
  readonly product: number;
  readonly productName: string;
  readonly quantity: number;
  readonly totalCents: number;
  readonly currency: string;
  readonly email: string;
}

/** Products that one list shows at most. */
const LONGEST_LIST = 500;

const PRODUCT = `
  SELECT p.id, p.name, p.description, p.price_cents, p.currency,
         coalesce(jsonb_agg(jsonb_build_object('id', i.id, 'alt', i.alt, 'width', i.width, 'height', i.height) ORDER BY i.id)
                  FILTER (WHERE i.id IS NOT NULL), '[]') AS images
  FROM products p LEFT JOIN images i ON i.product_id = p.id`;

interface ProductRow {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly price_cents: number;
  readonly currency: string;
  readonly images: Product['images'];
}

/** The first 500 products in the order they were added, each with its pictures. */
export async function allProducts(pool: pg.Pool): Promise<Product[]> {
  const { rows } = await pool.query<ProductRow>(
    `${PRODUCT} GROUP BY p.id ORDER BY p.id LIMIT ${LONGEST_LIST}`,
  );
  return rows.map(asProduct);
}

/** `id` is a bigint in decimal. */
export async function productById(pool: pg.Pool, id: string): Promise<Product | null> {
  const { rows } = await pool.query<ProductRow>(`${PRODUCT} WHERE p.id = $1 GROUP BY p.id`, [id]);
  return rows[0] ? asProduct(rows[0]) : null;
}

export async function addProduct(
  pool: pg.Pool,
  product: Pick<Product, 'name' | 'description' | 'priceCents' | 'currency'>,
): Promise<Product> {
  const { rows } = await pool.query<{ id: string }>(
    'INSERT INTO products (name, description, price_cents, currency) VALUES ($1, $2, $3, $4) RETURNING id',
    [product.name, product.description, product.priceCents, product.currency],
  );
  return { id: safeId(rows[0]!.id), ...product, images: [] };
}

/**
 * What is ordered is priced now: a later price does not change an order. `userId` is null for somebody without an account. What `sender` has to queue is
 * written in the same transaction; when that can't be done, the order is taken all the same, and its mail is the monolith's: `fellBack` hears why.
 * Rejects with UnsafeJob, and no order taken, when the mail must not be sent by anybody.
 */
export async function addOrder(
  pool: pg.Pool,
  product: Product,
  quantity: number,
  { userId, email }: { userId: string | null; email: string },
  { by, enqueue }: Sender = { by: 'monolith', enqueue: null },
  fellBack: (error: Error) => void = () => undefined,
): Promise<Order> {
  const totalCents = product.priceCents * quantity;
  const { currency, name } = product;
  const insert = async (to: Pick<pg.ClientBase, 'query'>, mailedBy: Sender['by']): Promise<string> => {
    const { rows } = await to.query<{ id: string }>(
      `INSERT INTO orders (product_id, user_id, email, quantity, total_cents, currency, mailed_by, mailed_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $7 = 'email-api' THEN now() END) RETURNING id`,
      [product.id, userId, email, quantity, totalCents, currency, mailedBy],
    );
    return rows[0]!.id;
  };
  const id =
    enqueue === null
      ? await insert(pool, by)
      : await inTransaction(pool, async (client) => {
          await client.query('SAVEPOINT before');
          try {
            const id = await insert(client, by);
            await enqueue(client, { id, quantity, product: name, totalCents, currency }, email);
            return id;
          } catch (error) {
            if (error instanceof UnsafeJob) throw error;
            await client.query('ROLLBACK TO SAVEPOINT before');
            fellBack(error as Error);
            return insert(client, 'monolith');
          }
        });
  return { id: safeId(id), product: product.id, productName: name, quantity, totalCents, currency, email };
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    // With an error, the connection is closed, and its transaction with it.
    client.release(failure);
  }
}

interface OrderRow {
  readonly id: string;
  readonly product_id: string;
  readonly name: string;
  readonly user_id: string | null;
  readonly email: string;
  readonly quantity: number;
  readonly total_cents: string;
  readonly currency: string;
}

/** An order and whose it is; `userId` is null when nobody was logged in. */
export async function orderById(
  pool: pg.Pool,
  id: string,
): Promise<{ order: Order; userId: string | null } | null> {
  const { rows } = await pool.query<OrderRow>(
    `SELECT o.id, o.product_id, p.name, o.user_id, o.email, o.quantity, o.total_cents, o.currency
     FROM orders o JOIN products p ON p.id = o.product_id WHERE o.id = $1`,
    [id],
  );
  const row = rows[0];
  if (!row) return null;
  const order = {
    id: safeId(row.id),
    product: safeId(row.product_id),
    productName: row.name,
    quantity: row.quantity,
    totalCents: Number(row.total_cents),
    currency: row.currency,
    email: row.email,
  };
  return { order, userId: row.user_id };
}

/** The account of an address in any case, with its password as `hashPassword` stored it. */
export async function userByEmail(
  pool: pg.Pool,
  email: string,
): Promise<{ id: string; email: string; name: string; password_hash: string } | null> {
  const { rows } = await pool.query<{ id: string; email: string; name: string; password_hash: string }>(
    'SELECT id, email, name, password_hash FROM users WHERE lower(email) = lower($1)',
    [email],
  );
  return rows[0] ?? null;
}

function asProduct(row: ProductRow): Product {
  return {
    id: safeId(row.id),
    name: row.name,
    description: row.description,
    priceCents: row.price_cents,
    currency: row.currency,
    images: row.images,
  };
}

/** The database counts to 2^63, JSON's readers to 2^53. A sequence gets there never; if it does, a wrong id must not go out. */
export function safeId(text: string): number {
  const id = Number(text);
  if (!Number.isSafeInteger(id)) throw new Error(`the id ${text} is too large for a JSON number`);
  return id;
}
