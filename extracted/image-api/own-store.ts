import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Blobs } from './blobs.ts';
import { isId, noImage, noProduct } from './ids.ts';
import { Problem } from './problem.ts';
import type { Products } from './products.ts';
import type { Image, Store } from './store.ts';
import { TYPES, type Kind } from './wish.ts';

interface Picture {
  readonly id: string;
  readonly product_id: string;
  readonly kind: Kind;
  readonly size: number;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
  readonly alt: string;
}

const COLUMNS = 'id, product_id, kind, size, width, height, sha256, alt';

/**
 * Rows and blobs of the pictures in this service's own database and folder. A row never stands without its blob: the blob is placed before the row
 * is committed, and the row is deleted before the blob. It is placed inside the transaction, when the row was already taken: what the database refuses
 * leaves no blob, and between the two is nothing but a rename.
 */
export function openOwnStore({
  pool,
  blobs,
  products,
}: {
  readonly pool: pg.Pool;
  readonly blobs: Blobs;
  readonly products: Products;
}): Store {
  const one = async (sql: string, id: string, ...values: string[]): Promise<Image> => {
    const { rows } = isId(id) ? await pool.query<Picture>(sql, [id, ...values]) : { rows: [] };
    if (!rows[0]) throw noImage(id);
    return asImage(rows[0]);
  };
  const ofProduct = async (product: string): Promise<Image[]> => {
    const sql = `SELECT ${COLUMNS} FROM pictures WHERE product_id = $1 ORDER BY id`;
    return (await pool.query<Picture>(sql, [product])).rows.map(asImage);
  };
  return {
    pathOf: ({ sha256 }) => blobs.pathOf(sha256),
    byId: (id) => one(`SELECT ${COLUMNS} FROM pictures WHERE id = $1`, id),
    ofProduct,
    async requireProduct(id) {
      const isThere = isId(id) && (await products.has(id));
      if (isThere === false) throw noProduct(id);
      // The shop is away and this one was not asked for yet; what has pictures was a product when they were added.
      if (isThere === null && (await ofProduct(id)).length === 0)
        throw new Problem(503, 'the shop can not be asked for its products at the moment', {
          'retry-after': '2',
        });
    },
    async add(product, { bytes, kind, width, height }, alt) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const staged = await blobs.stage(sha256, bytes);
      try {
        return await inTransaction(pool, async (client) => {
          const { rows } = await client.query<Picture>(
            `INSERT INTO pictures (product_id, kind, size, width, height, sha256, alt) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
            [product, kind, bytes.length, width, height, sha256, alt],
          );
          await staged.place();
          return asImage(rows[0]!);
        });
      } finally {
        // Nothing is left once it was placed; what resists is swept.
        await staged.discard().catch(() => undefined);
      }
    },
    describe: (id, alt) =>
      one(`UPDATE pictures SET alt = $2, changed_at = now() WHERE id = $1 RETURNING ${COLUMNS}`, id, alt),
    async remove(id) {
      const { sha256 } = await one(`DELETE FROM pictures WHERE id = $1 RETURNING ${COLUMNS}`, id);
      // Others may have the same bytes, and somebody may be reading them: the grace of the blob begins now.
      await blobs.touch(sha256).catch(() => undefined);
    },
    sweep: () =>
      blobs.collect(async (sha256s) => {
        const sql = 'SELECT DISTINCT sha256 FROM pictures WHERE sha256 = ANY ($1)';
        const { rows } = await pool.query<{ sha256: string }>(sql, [sha256s]);
        return new Set(rows.map(({ sha256 }) => sha256));
      }),
  };
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that ends between two statements says so here too; the next statement rejects.
  const onError = (error: Error): void => void (broken = error);
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
    throw error;
  } finally {
    client.off('error', onError);
    // One that could not even roll back must not be anybody's next.
    client.release(broken);
  }
}

function asImage({ kind, size, ...picture }: Picture): Image {
  return { ...picture, content_type: TYPES[kind], bytes: size };
}
