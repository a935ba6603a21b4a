import type pg from 'pg';
import { statement } from './statement.ts';
import { safeId, type Product } from './store.ts';

export interface Review {
  readonly id: number;
  /** The name of who wrote it, as it was then. */
  readonly author: string;
  /** 1 to 5. */
  readonly stars: number;
  readonly body: string;
  /** ISO 8601, in UTC. */
  readonly createdAt: string;
}

/** Reviews that one list shows at most. */
const LONGEST_LIST = 100;

interface ReviewRow {
  readonly id: string;
  readonly author: string;
  readonly stars: number;
  readonly body: string;
  readonly created_at: Date;
}

/** The newest 100 of a product, newest first. */
export async function reviewsOf(pool: pg.Pool, { id }: Pick<Product, 'id'>): Promise<Review[]> {
  const { rows } = await pool.query<ReviewRow>(
    `SELECT id, author, stars, body, created_at FROM reviews WHERE product_id = $1 ORDER BY id DESC LIMIT ${LONGEST_LIST}`,
    [id],
  );
  return rows.map(asReview);
}

export async function addReview(
  pool: pg.Pool,
  { id }: Pick<Product, 'id'>,
  { author, stars, body }: Pick<Review, 'author' | 'stars' | 'body'>,
): Promise<Review> {
  const { rows } = await statement<ReviewRow>(
    pool,
    'INSERT INTO reviews (product_id, author, stars, body) VALUES ($1, $2, $3, $4) RETURNING id, author, stars, body, created_at',
    [id, author, stars, body],
  );
  return asReview(rows[0]!);
}

const asReview = ({ id, author, stars, body, created_at }: ReviewRow): Review => ({
  id: safeId(id),
  author,
  stars,
  body,
  createdAt: created_at.toISOString(),
});
