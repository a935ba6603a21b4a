import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type pg from 'pg';
import { Problem } from './problem.ts';
import type { Clean } from './render.ts';
import { TYPES } from './wish.ts';

export interface Image {
  readonly id: string;
  readonly product_id: string;
  readonly file: string;
  readonly content_type: string;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
  readonly alt: string;
}

export interface Store {
  /** Folder of uploads on their way; on the same disk as the blobs. */
  readonly incoming: string;
  pathOf(image: Image): string;
  requireProduct(id: string): Promise<void>;
  /** Throws 404. */
  byId(id: string): Promise<Image>;
  ofProduct(product: string): Promise<Image[]>;
  add(product: string, picture: Clean, alt: string): Promise<Image>;
  describe(id: string, alt: string): Promise<Image>;
  remove(id: string): Promise<void>;
  /** Deletes uploads that a process which is gone left behind. */
  sweep(): Promise<void>;
}

const COLUMNS = 'id, product_id, file, content_type, bytes, width, height, sha256, alt';
/** Milliseconds after which an upload on its way can't be alive any more. */
const STALE = 3_600_000;

/**
 * Rows and files of the pictures: while the data is shared, the shop's own table and folder. A row never stands without its file: the file is
 * written and synced before the row, and the row is deleted before the file.
 */
export function openStore(pool: pg.Pool, blobDir: string): Store {
  const incoming = join(blobDir, 'incoming');
  const one = async (sql: string, values: unknown[], id: string): Promise<Image> => {
    const { rows } = isId(id) ? await pool.query<Image>(sql, values) : { rows: [] };
    if (!rows[0]) throw new Problem(404, `there is no image ${id}`);
    return rows[0];
  };
  return {
    incoming,
    pathOf: (image) => join(blobDir, image.file),
    async requireProduct(id) {
      const { rowCount } = isId(id)
        ? await pool.query('SELECT id FROM products WHERE id = $1', [id])
        : { rowCount: 0 };
      if (rowCount === 0) throw new Problem(404, `there is no product ${id}`);
    },
    byId: (id) => one(`SELECT ${COLUMNS} FROM images WHERE id = $1`, [id], id),
    ofProduct: async (product) =>
      (await pool.query<Image>(`SELECT ${COLUMNS} FROM images WHERE product_id = $1 ORDER BY id`, [product]))
        .rows,
    async add(product, { bytes, kind, width, height }, alt) {
      // A name of our own, never the client's, and never used twice: deleting one picture can't take another's file.
      const file = `products/${product}/${randomUUID()}.${kind}`;
      await writeDurably(join(blobDir, file), join(incoming, randomUUID()), bytes);
      try {
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        const values = [product, file, TYPES[kind], bytes.length, width, height, sha256, alt];
        const { rows } = await pool.query<Image>(
          `INSERT INTO images (product_id, file, content_type, bytes, width, height, sha256, alt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${COLUMNS}`,
          values,
        );
        return rows[0]!;
      } catch (error) {
        await rm(join(blobDir, file), { force: true });
        throw error;
      }
    },
    describe: (id, alt) =>
      one(`UPDATE images SET alt = $2 WHERE id = $1 RETURNING ${COLUMNS}`, [id, alt], id),
    async remove(id) {
      const { file } = await one(`DELETE FROM images WHERE id = $1 RETURNING ${COLUMNS}`, [id], id);
      await rm(join(blobDir, file), { force: true });
    },
    async sweep() {
      await mkdir(incoming, { recursive: true });
      for (const name of await readdir(incoming)) {
        const path = join(incoming, name);
        const found = await stat(path).catch(() => null);
        if (found?.isFile() && Date.now() - found.mtimeMs > STALE) await rm(path, { force: true });
      }
    },
  };
}

function isId(text: string): boolean {
  return /^[1-9][0-9]{0,18}$/.test(text) && BigInt(text) < 2n ** 63n;
}

async function writeDurably(path: string, temporary: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(temporary, 'wx', 0o644);
    await file
      .writeFile(bytes)
      .then(() => file.sync())
      .finally(() => file.close());
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}
