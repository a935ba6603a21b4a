import type pg from 'pg';
import type { Blobs } from './blobs.ts';
import { earlier, forget, once } from './idempotency.ts';
import { gather } from './gathered.ts';
import { isId, noImage, noProduct } from './ids.ts';
import { Problem } from './problem.ts';
import type { Products } from './products.ts';
import type { Image, Store } from './store.ts';
import { TYPES, type Kind } from './wish.ts';
import { statement } from './statement.ts';
import { inTransaction } from './transaction.ts';

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
 * Rows and blobs of the pictures in this service's own database and store. A row never stands without its blob: the blob is placed before the row
 * is committed, and the row is deleted before the blob. It is placed inside the transaction, when the row was already taken: what the database refuses
 * leaves no blob, and between the two is nothing but a rename, or the upload to a bucket.
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
    const { rows } = isId(id) ? await statement<Picture>(pool, sql, [id, ...values]) : { rows: [] };
    if (!rows[0]) throw noImage(id);
    return asImage(rows[0]);
  };
  const find = gather<Image>(async (ids) => {
    const sql = `SELECT ${COLUMNS} FROM pictures WHERE id = ANY ($1)`;
    return new Map(
      (await statement<Picture>(pool, sql, [[...ids]])).rows.map((row) => [row.id, asImage(row)]),
    );
  });
  const ofProduct = async (product: string): Promise<Image[]> => {
    const sql = `SELECT ${COLUMNS} FROM pictures WHERE product_id = $1 ORDER BY id`;
    return (await pool.query<Picture>(sql, [product])).rows.map(asImage);
  };
  return {
    original: ({ sha256 }) => blobs.original(sha256),
    async byId(id) {
      const found = isId(id) ? await find(id) : undefined;
      if (!found) throw noImage(id);
      return found;
    },
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
    async add(product, cleaned, alt, claim) {
      const { sha256, size, kind, width, height } = cleaned;
      const staged = await blobs.stage(sha256, cleaned);
      try {
        const add = async (client: pg.PoolClient): Promise<Image> => {
          const { rows } = await client.query<Picture>(
            `INSERT INTO pictures (product_id, kind, size, width, height, sha256, alt) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
            [product, kind, size, width, height, sha256, alt],
          );
          await staged.place(client);
          return asImage(rows[0]!);
        };
        return await inTransaction(pool, (client) => once(client, claim, () => add(client)));
      } finally {
        // Nothing is left once it was placed; what resists is swept.
        await staged.discard().catch(() => undefined);
      }
    },
    describe: (id, alt) =>
      one(`UPDATE pictures SET alt = $2, changed_at = now() WHERE id = $1 RETURNING ${COLUMNS}`, id, alt),
    async remove(id) {
      const image = await one(`DELETE FROM pictures WHERE id = $1 RETURNING ${COLUMNS}`, id);
      // Others may have the same bytes, and somebody may be reading them: the grace of the blob begins now.
      await blobs.touch(image.sha256).catch(() => undefined);
      return image;
    },
    earlier: (claim) => earlier(pool, claim),
    async sweep() {
      await blobs.collect(async (sha256s, within = pool) => {
        const sql = 'SELECT DISTINCT sha256 FROM pictures WHERE sha256 = ANY ($1)';
        const { rows } = await within.query<{ sha256: string }>(sql, [sha256s]);
        return new Set(rows.map(({ sha256 }) => sha256));
      });
      await forget(pool);
    },
  };
}

function asImage({ kind, size, ...picture }: Picture): Image {
  return { ...picture, content_type: TYPES[kind], bytes: size };
}
