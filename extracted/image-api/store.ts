import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Cleaned } from './clean.ts';
import type { Files } from './files.ts';
import { earlier, forget, once, type Added, type Claim } from './idempotency.ts';
import { gather } from './gathered.ts';
import { isId, noImage, noProduct } from './ids.ts';
import { fileOriginal, type Original } from './original.ts';
import { inTransaction } from './transaction.ts';
import { Problem } from './problem.ts';
import { TYPES } from './wish.ts';

export interface Image {
  readonly id: string;
  readonly product_id: string;
  readonly content_type: string;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
  readonly alt: string;
}

export interface Store {
  /** The bytes of an image that this store gave. */
  original(image: Image): Original;
  /** Throws 404, as do all that take an id. */
  requireProduct(id: string): Promise<void>;
  byId(id: string): Promise<Image>;
  ofProduct(product: string): Promise<Image[]>;
  /** Adds a picture. With a claim, once: what was added under it before is answered again. */
  add(product: string, picture: Cleaned, alt: string, claim: Claim | null): Promise<Added>;
  /** What was added under a claim; null if nothing was. Throws 422 when that was another upload. */
  earlier(claim: Claim): Promise<Image | null>;
  describe(id: string, alt: string): Promise<Image>;
  /** What was removed. */
  remove(id: string): Promise<Image>;
  /** Clears up after processes that ended in the middle of an upload or a deletion. */
  sweep(): Promise<void>;
}

/** As the shop's table has it. */
interface SharedImage extends Image {
  /** Path below the blob folder. */
  readonly file: string;
}

const COLUMNS = 'id, product_id, file, content_type, bytes, width, height, sha256, alt';

/**
 * Rows and files of the pictures: while the data is shared, the shop's own table and folder. A row never stands without its file: the file is
 * written and synced before the row, and the row is deleted before the file.
 */
export function openStore(pool: pg.Pool, files: Files): Store {
  const one = async (sql: string, id: string, ...values: string[]): Promise<SharedImage> => {
    const { rows } = isId(id) ? await pool.query<SharedImage>(sql, [id, ...values]) : { rows: [] };
    if (!rows[0]) throw noImage(id);
    return rows[0];
  };
  const find = gather<SharedImage>(async (ids) => {
    const sql = `SELECT ${COLUMNS} FROM images WHERE id = ANY ($1)`;
    return new Map((await pool.query<SharedImage>(sql, [ids])).rows.map((row) => [row.id, row]));
  });
  const byId = async (id: string): Promise<SharedImage> => {
    const found = isId(id) ? await find(id) : undefined;
    if (!found) throw noImage(id);
    return found;
  };
  return {
    original: (image) => fileOriginal(files.pathOf((image as SharedImage).file)),
    byId,
    async requireProduct(id) {
      const { rowCount } = isId(id)
        ? await pool.query('SELECT id FROM products WHERE id = $1', [id])
        : { rowCount: 0 };
      if (rowCount === 0) throw noProduct(id);
    },
    ofProduct: async (product) =>
      (await pool.query<Image>(`SELECT ${COLUMNS} FROM images WHERE product_id = $1 ORDER BY id`, [product]))
        .rows,
    async add(product, { path, sync, sha256, size, kind, width, height }, alt, claim) {
      await sync();
      // A name of our own, never the client's, and never used twice: deleting one picture can't take another's file.
      const file = `products/${product}/${randomUUID()}.${kind}`;
      await files.write(file, path);
      try {
        const values = [product, file, TYPES[kind], size, width, height, sha256, alt];
        const insert = async (db: pg.Pool | pg.PoolClient): Promise<Image> =>
          (
            await db.query<Image>(
              `INSERT INTO images (product_id, file, content_type, bytes, width, height, sha256, alt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${COLUMNS}`,
              values,
            )
          ).rows[0]!;
        const added = claim
          ? await inTransaction(pool, (client) => once(client, claim, () => insert(client)))
          : { image: await insert(pool), isNew: true };
        // It is stored whether or not the promise could be taken away; the sweep ends it then.
        if (added.isNew) await files.keep(file).catch(() => undefined);
        else await files.drop(file);
        return added;
      } catch (error) {
        // Where the database did not say no, the row may be there all the same; then it is for the sweep to find out.
        if (error instanceof Problem || saidNo(error)) await files.drop(file);
        throw isMissingProduct(error) ? noProduct(product) : error;
      }
    },
    describe: (id, alt) => one(`UPDATE images SET alt = $2 WHERE id = $1 RETURNING ${COLUMNS}`, id, alt),
    async remove(id) {
      const image = await byId(id);
      const { file } = image;
      await files.doom(file);
      try {
        await one(`DELETE FROM images WHERE id = $1 RETURNING ${COLUMNS}`, id);
      } catch (error) {
        // Another side's to delete (see problem.ts): nothing began here, so nothing is promised.
        if (sqlState(error) === 'SK421') await files.keep(file);
        throw error;
      }
      // Gone for everybody; a file that resists is still promised to go.
      await files.drop(file).catch(() => undefined);
      return image;
    },
    earlier: (claim) => earlier(pool, claim),
    async sweep() {
      await files.sweep(
        async (file) => (await pool.query('SELECT id FROM images WHERE file = $1', [file])).rowCount !== 0,
      );
      await forget(pool);
    },
  };
}

/** SQLSTATE of an error; pg's own errors (a broken socket) have none. */
function sqlState(error: unknown): string | null {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** Class 08 is the connection, 57 a server that is being stopped: neither says that the statement was undone. */
function saidNo(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && !state.startsWith('08') && !state.startsWith('57');
}

/** It was deleted between the check and the insert. */
function isMissingProduct(error: unknown): boolean {
  return sqlState(error) === '23503';
}
