import { createHash, randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Logger } from 'pino';
import { announceRemoval, cleanIncoming, removeBlob, settleBlob, writeBlob } from './blobs.ts';
import { Problem } from './errors.ts';
import { contentType } from './images-wish.ts';
import { isId } from './products.ts';
import { sanitise, type Sanitised } from './resize.ts';
import { statement } from './statement.ts';

export interface Image {
  readonly id: string;
  readonly product_id: string;
  /** Path below the blob folder. */
  readonly file: string;
  readonly content_type: string;
  readonly bytes: number;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
  readonly alt: string;
}

/** Where rows and files are. */
export interface ImageStore {
  readonly pool: pg.Pool;
  readonly blobDir: string;
}

/** Throws NOT_FOUND, also for what can be no id. */
export async function findProduct(pool: pg.Pool, id: string): Promise<void> {
  const { rowCount } = isId(id)
    ? await pool.query('SELECT FROM products WHERE id = $1', [id])
    : { rowCount: 0 };
  if (rowCount === 0) throw new Problem('NOT_FOUND', `there is no product ${id}`);
}

/** Throws NOT_FOUND, also for what can be no id. */
export function findImage(pool: pg.Pool, id: string): Promise<Image> {
  return one(pool, 'SELECT * FROM images WHERE id = $1', id);
}

export async function imagesOf(pool: pg.Pool, product: string): Promise<Image[]> {
  const { rows } = await pool.query<Image>('SELECT * FROM images WHERE product_id = $1 ORDER BY id', [
    product,
  ]);
  return rows;
}

export function changeAlt(pool: pg.Pool, id: string, alt: string): Promise<Image> {
  return one(pool, 'UPDATE images SET alt = $2 WHERE id = $1 RETURNING *', id, alt);
}

/** Cleans the picture in a file (which stays) and keeps it as one of the product's. Throws what `sanitise` throws. */
export async function store(
  place: ImageStore,
  product: string,
  path: string,
  alt: string,
  clean: (path: string) => Promise<Sanitised> = sanitise,
): Promise<Image> {
  const { pool, blobDir } = place;
  const { bytes, format, width, height } = await clean(path);
  // A new name every time: no two rows share a file, so deleting one can't break another.
  const file = `products/${product}/${randomUUID()}.${format}`;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await writeBlob(blobDir, file, bytes);
  try {
    const { rows } = await statement<Image>(
      pool,
      'INSERT INTO images (product_id, file, content_type, bytes, width, height, sha256, alt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *',
      [product, file, contentType(format), bytes.length, width, height, sha256, alt],
    );
    // The picture stands; if the link stays, cleaning takes it away.
    await settleBlob(blobDir, file).catch(() => undefined);
    return rows[0]!;
  } catch (error) {
    // Only what the database refused is sure not to be there. When the connection broke, the row may stand: cleaning finds out.
    if (isRefusal(error)) await removeBlob(blobDir, file);
    if ((error as { code?: unknown }).code === FOREIGN_KEY)
      throw new Problem('NOT_FOUND', `there is no product ${product}`);
    throw error;
  }
}

/** The row first: a file without a row is garbage, a row without a file is a broken page. Throws NOT_FOUND. */
export async function remove(
  { pool, blobDir }: ImageStore,
  id: string,
  log: Pick<Logger, 'error'>,
): Promise<void> {
  const { file } = await findImage(pool, id);
  await announceRemoval(blobDir, file);
  try {
    await one(pool, 'DELETE FROM images WHERE id = $1 RETURNING *', id);
  } catch (error) {
    // Another side's to delete (see errors.ts): nothing began here.
    if ((error as { code?: unknown }).code === 'SK421') await settleBlob(blobDir, file);
    throw error;
  }
  // The picture is gone for everybody; what is left of it goes with the next cleaning.
  await removeBlob(blobDir, file).catch((error: unknown) =>
    log.error({ err: error, file }, 'the file of a deleted picture could not be removed'),
  );
}

/** Settles uploads and deletions that ended with a process; those younger than `olderThan` milliseconds may be in work. */
export async function cleanUploads({ pool, blobDir }: ImageStore, olderThan?: number): Promise<void> {
  const isKept = async (file: string): Promise<boolean> =>
    (await pool.query('SELECT FROM images WHERE file = $1', [file])).rowCount !== 0;
  await cleanIncoming(blobDir, isKept, olderThan);
}

const FOREIGN_KEY = '23503';

/** True for errors of the statement (SQLSTATE), false for those of the connection or of a server that is stopping (classes 08 and 57). */
function isRefusal(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(?!08|57)[0-9A-Z]{5}$/.test(code);
}

async function one(pool: pg.Pool, sql: string, id: string, ...values: string[]): Promise<Image> {
  const { rows } = isId(id) ? await statement<Image>(pool, sql, [id, ...values]) : { rows: [] };
  if (!rows[0]) throw new Problem('NOT_FOUND', `there is no image ${id}`);
  return rows[0];
}
