import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { ITEMS, VIEWS, type Item } from './catalogue.ts';
import { makePictures, type Exposure } from './darkroom.ts';
import { store } from './images-store.ts';
import { hashPassword } from './sessions.ts';

/** Any number that only this seed uses. */
const LOCK = 5234100917n;

/**
 * The demo customer, the products of the catalogue, and their pictures. What is complete is never touched again, whatever became of it; what a
 * seed that was cut off left undone is done. Any number of processes may call it at once: the first does it, the others wait.
 */
export async function seed(pool: pg.Pool, blobDir: string): Promise<void> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query(`SELECT pg_advisory_lock(${LOCK})`);
    await client.query(
      'INSERT INTO users (email, name, password_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      ['demo@example.com', 'Demo', await hashPassword('demo', randomBytes(16).toString('hex'))],
    );
    const { rows } = await client.query<{ name: string }>('SELECT name FROM seeded');
    const ids = new Map<number, string>();
    for (const [index, item] of ITEMS.entries())
      if (!rows.some(({ name }) => name === item.name)) ids.set(index, await productOf(client, item));
    await addPictures(pool, blobDir, ids);
    for (const index of ids.keys())
      await client.query('INSERT INTO seeded (name) VALUES ($1)', [ITEMS[index]!.name]);
    await client.query(`SELECT pg_advisory_unlock(${LOCK})`);
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    // Closing the connection frees the lock too.
    client.release(failure);
  }
}

async function productOf(client: pg.PoolClient, { name, description, cents }: Item): Promise<string> {
  const known = await client.query<{ id: string }>(
    'SELECT id FROM products WHERE name = $1 ORDER BY id LIMIT 1',
    [name],
  );
  if (known.rows[0]) return known.rows[0].id;
  const { rows } = await client.query<{ id: string }>(
    'INSERT INTO products (name, description, price_cents) VALUES ($1, $2, $3) RETURNING id',
    [name, description, cents],
  );
  return rows[0]!.id;
}

/** The first picture of every product before the second of any, as a product's first by id is the one in the list. */
async function addPictures(pool: pg.Pool, blobDir: string, ids: ReadonlyMap<number, string>): Promise<void> {
  if (ids.size === 0) return;
  const { rows } = await pool.query<{ product_id: string; alt: string }>(
    'SELECT product_id, alt FROM images WHERE product_id = ANY($1)',
    [[...ids.values()]],
  );
  const isThere = ({ item, view }: Exposure): boolean =>
    rows.some(({ product_id, alt }) => product_id === ids.get(item) && alt === ITEMS[item]!.alts[view]);
  const incoming = join(blobDir, 'incoming');
  await mkdir(incoming, { recursive: true });
  const folder = await mkdtemp(join(incoming, 'seed-'));
  try {
    for (const view of VIEWS.keys()) {
      const missing = [...ids.keys()]
        .map((item) => ({ item, view }))
        .filter((exposure) => !isThere(exposure));
      await makePictures(missing, async ({ item }, jpeg) => {
        const path = join(folder, String(item));
        await writeFile(path, jpeg);
        await store({ pool, blobDir }, ids.get(item)!, path, ITEMS[item]!.alts[view]!);
      });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}
