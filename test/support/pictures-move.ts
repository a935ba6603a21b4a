import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type pg from 'pg';
import type { BlobFolders } from '../../migrations/move/blobs.ts';
import { openMove, type Move } from '../../migrations/move/side.ts';
import images from '../../migrations/moves/images.ts';
import type { S3Server } from './s3-server.ts';
import { testDatabase, testPool } from './postgres.ts';

export interface PicturesMove {
  readonly move: Move;
  readonly urls: { readonly from: string; readonly to: string };
  readonly folders: BlobFolders;
  readonly shop: pg.Pool;
  readonly service: pg.Pool;
  /** Adds a picture as the shop does: file, then row. Answers id, bytes and the path. */
  addAtShop(product: number): Promise<{ id: string; bytes: Buffer; file: string }>;
  /** Adds one as the service does: blob, then row. */
  addAtService(product: number): Promise<{ id: string; bytes: Buffer }>;
  /** The bytes of a picture at a side; null when the row or its file is missing. */
  readAtShop(id: string): Promise<Buffer | null>;
  readAtService(id: string): Promise<Buffer | null>;
  close(): Promise<void>;
}

/** The shop's and the service's real schemas with a folder each, or a bucket for the service, products 1 to 20, and the pictures' move, not started. */
export async function picturesMove(bucket?: S3Server): Promise<PicturesMove> {
  const old = await testDatabase({ migrate: ['monolith'] });
  const young = await testDatabase({ migrate: ['image-api-own'] });
  const dir = mkdtempSync(join(tmpdir(), 'pictures-move-'));
  const folders = { legacy: join(dir, 'shop'), own: bucket ? bucket.urlOf('service') : join(dir, 'service') };
  mkdirSync(folders.legacy);
  if (!bucket) mkdirSync(folders.own);
  const [shop, service] = [testPool(old.url), testPool(young.urlFor('image_api'))];
  await shop.query(
    "INSERT INTO products (name, price_cents) SELECT 'No ' || n, n FROM generate_series(1, 20) n",
  );
  const urls = { from: old.url, to: young.url };
  const move = await openMove(images, { ...urls, blobs: folders });
  const put = (path: string, bytes: Buffer): string => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    return path;
  };
  const get = (path: string): Buffer | null => (existsSync(path) ? readFileSync(path) : null);
  const fresh = (): { bytes: Buffer; sha256: string } => {
    const bytes = randomBytes(2000);
    return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
  };
  const placeOf = (sha256: string): string => join('sha256', sha256.slice(0, 2), sha256);
  const putOwn = (sha256: string, bytes: Buffer): void => {
    if (bucket) bucket.objects.set(`service/${placeOf(sha256)}`, { bytes, writtenAt: Date.now() });
    else put(join(folders.own, placeOf(sha256)), bytes);
  };
  const getOwn = (sha256: string): Buffer | null =>
    bucket
      ? (bucket.objects.get(`service/${placeOf(sha256)}`)?.bytes ?? null)
      : get(join(folders.own, placeOf(sha256)));
  return {
    move,
    urls,
    folders,
    shop,
    service,
    async addAtShop(product) {
      const { bytes, sha256 } = fresh();
      const file = `products/${product}/${randomBytes(8).toString('hex')}.png`;
      put(join(folders.legacy, file), bytes);
      const { rows } = await shop.query<{ id: string }>(
        "INSERT INTO images (product_id, file, content_type, bytes, width, height, sha256) VALUES ($1, $2, 'image/png', 2000, 1, 1, $3) RETURNING id",
        [product, file, sha256],
      );
      return { id: rows[0]!.id, bytes, file };
    },
    async addAtService(product) {
      const { bytes, sha256 } = fresh();
      putOwn(sha256, bytes);
      const { rows } = await service.query<{ id: string }>(
        "INSERT INTO pictures (product_id, kind, size, width, height, sha256) VALUES ($1, 'png', 2000, 1, 1, $2) RETURNING id",
        [product, sha256],
      );
      return { id: rows[0]!.id, bytes };
    },
    async readAtShop(id) {
      const { rows } = await shop.query<{ file: string }>('SELECT file FROM images WHERE id = $1', [id]);
      return rows[0] ? get(join(folders.legacy, rows[0].file)) : null;
    },
    async readAtService(id) {
      const { rows } = await service.query<{ sha256: string }>('SELECT sha256 FROM pictures WHERE id = $1', [
        id,
      ]);
      return rows[0] ? getOwn(rows[0].sha256) : null;
    },
    async close() {
      await Promise.all([move.close(), shop.end(), service.end()]);
      await old.drop();
      await young.drop();
      rmSync(dir, { recursive: true });
    },
  };
}
