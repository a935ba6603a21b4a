import { createHash, randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Files } from './files.ts';
import { isId, noImage, noProduct } from './ids.ts';
import type { Clean } from './render.ts';
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
  /** Where the bytes of an image are that this store gave. */
  pathOf(image: Image): string;
  /** Throws 404, as do all that take an id. */
  requireProduct(id: string): Promise<void>;
  byId(id: string): Promise<Image>;
  ofProduct(product: string): Promise<Image[]>;
  add(product: string, picture: Clean, alt: string): Promise<Image>;
  describe(id: string, alt: string): Promise<Image>;
  remove(id: string): Promise<void>;
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
  const byId = (id: string): Promise<SharedImage> => one(`SELECT ${COLUMNS} FROM images WHERE id = $1`, id);
  return {
    pathOf: (image) => files.pathOf((image as SharedImage).file),
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
    async add(product, { bytes, kind, width, height }, alt) {
      // A name of our own, never the client's, and never used twice: deleting one picture can't take another's file.
      const file = `products/${product}/${randomUUID()}.${kind}`;
      await files.write(file, bytes);
      try {
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        const values = [product, file, TYPES[kind], bytes.length, width, height, sha256, alt];
        const { rows } = await pool.query<Image>(
          `INSERT INTO images (product_id, file, content_type, bytes, width, height, sha256, alt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${COLUMNS}`,
          values,
        );
        // It is stored whether or not the promise could be taken away; the sweep ends it then.
        await files.keep(file).catch(() => undefined);
        return rows[0]!;
      } catch (error) {
        // Where the database did not say no, the row may be there all the same; then it is for the sweep to find out.
        if (saidNo(error)) await files.drop(file);
        throw isMissingProduct(error) ? noProduct(product) : error;
      }
    },
    describe: (id, alt) => one(`UPDATE images SET alt = $2 WHERE id = $1 RETURNING ${COLUMNS}`, id, alt),
    async remove(id) {
      const { file } = await byId(id);
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
    },
    sweep: () =>
      files.sweep(
        async (file) => (await pool.query('SELECT id FROM images WHERE file = $1', [file])).rowCount !== 0,
      ),
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
