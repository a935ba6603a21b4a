import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import express, { type NextFunction, type Request, type Response } from 'express';
import multer from 'multer';
import type pg from 'pg';
import type { Logger } from 'pino';
import { writeBlob } from './blobs.ts';
import { Problem } from './errors.ts';
import { isId } from './products.ts';
import { chosenFormat, contentType, readWish, render, sanitise, type StoredFormat } from './resize.ts';
import type { User } from './sessions.ts';
import { isForm, wantsPage } from './login.ts';

export interface ImageParts {
  readonly pool: pg.Pool;
  readonly blobDir: string;
  readonly userOf: (request: Request) => Promise<User | null>;
  readonly log: Pick<Logger, 'error'>;
}

interface Image {
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

const MAX_BYTES = 25 * 2 ** 20;
const MAX_ALT = 1000;

/** Pictures of products: upload, list, serve at any size, describe, delete. */
export function imageRoutes(parts: ImageParts): express.Router {
  const { pool, blobDir, userOf, log } = parts;
  const router = express.Router();
  const incoming = join(blobDir, 'incoming');
  mkdirSync(incoming, { recursive: true });
  const receive = multer({
    storage: multer.diskStorage({
      destination: incoming,
      filename: (_request, _file, done) => done(null, randomUUID()),
    }),
    limits: { files: 1, fileSize: MAX_BYTES, fields: 1, fieldSize: 4 * MAX_ALT, parts: 2, headerPairs: 20 },
    defParamCharset: 'utf8',
  }).single('image');

  const loggedIn = async (request: Request, _response: Response, next: NextFunction): Promise<void> => {
    if (!(await userOf(request))) throw new Problem('UNAUTHENTICATED', 'log in to change pictures');
    next();
  };
  const productExists = async (
    request: Request<{ product: string }>,
    _response: Response,
    next: NextFunction,
  ): Promise<void> => {
    await findProduct(pool, request.params.product);
    next();
  };

  // Who and what for is settled before the body is read: nobody uploads 25 MiB to hear that he may not.
  router.post(
    '/products/:product/images',
    loggedIn,
    productExists,
    (request: Request<{ product: string }>, response, next) => {
      receive(request, response, (error: unknown) => (error ? next(uploadProblem(error)) : next()));
    },
    async (request: Request<{ product: string }>, response) => {
      const { file } = request;
      if (!file)
        throw new Problem('BAD_REQUEST', 'send the picture as multipart/form-data in the field image');
      try {
        const alt = readAlt((request.body as { alt?: unknown }).alt ?? '');
        const image = await store(parts, request.params.product, file.path, alt);
        if (isForm(request) && wantsPage(request))
          response.redirect(303, `/products/${request.params.product}`);
        else response.status(201).location(`/images/${image.id}`).json(asJson(image));
      } finally {
        await rm(file.path, { force: true });
      }
    },
  );
  router.get('/products/:product/images', async (request, response) => {
    await findProduct(pool, request.params.product);
    const { rows } = await pool.query<Image>('SELECT * FROM images WHERE product_id = $1 ORDER BY id', [
      request.params.product,
    ]);
    response.set('cache-control', 'no-cache').json(rows.map(asJson));
  });
  router.get('/images/:id/meta', async (request, response) => {
    response.set('cache-control', 'no-cache').json(asJson(await findImage(pool, request.params.id)));
  });
  router.get('/images/:id', async (request, response) => {
    const wish = readWish(new URL(request.originalUrl, 'http://shop').searchParams);
    const image = await findImage(pool, request.params.id);
    const stored = image.content_type.slice('image/'.length) as StoredFormat;
    const format: StoredFormat = wish ? chosenFormat(wish, stored, request.get('accept') ?? '') : stored;
    const variant = wish ? `-${wish.w ?? ''}x${wish.h ?? ''}-${wish.fit}-${format}-${wish.q ?? ''}` : '';
    response.set({
      etag: `"${image.sha256.slice(0, 32)}${variant}"`,
      'cache-control': 'public, max-age=3600',
      'content-type': contentType(format),
      'content-disposition': 'inline',
    });
    if (wish?.format === 'auto') response.vary('Accept');
    if (request.fresh) {
      response.status(304).end();
      return;
    }
    const path = join(blobDir, image.file);
    if (wish)
      return void response.end(
        await render(
          path,
          wish,
          chosenFormat(wish, stored, request.get('accept') ?? ''),
          () => response.destroyed,
        ),
      );
    response.sendFile(
      path,
      { acceptRanges: false, cacheControl: false, etag: false, lastModified: false, dotfiles: 'allow' },
      (error) => {
        if (!error || response.headersSent) return;
        log.error({ err: error, image: image.id }, 'the file of a picture is missing');
        response.removeHeader('etag');
        response
          .status(500)
          .type('application/problem+json')
          .send('{"type":"about:blank","title":"The shop failed","status":500}');
      },
    );
  });
  router.patch('/images/:id', loggedIn, async (request: Request<{ id: string }>, response) => {
    const body = (request.body ?? {}) as Record<string, unknown>;
    if (Object.keys(body).join() !== 'alt')
      throw new Problem('BAD_REQUEST', 'send {"alt": "…"}; nothing else of a picture can be changed');
    await findImage(pool, request.params.id);
    const { rows } = await pool.query<Image>('UPDATE images SET alt = $2 WHERE id = $1 RETURNING *', [
      request.params.id,
      readAlt(body['alt']),
    ]);
    if (!rows[0]) throw new Problem('NOT_FOUND', `there is no image ${request.params.id}`);
    response.json(asJson(rows[0]));
  });
  router.delete('/images/:id', loggedIn, async (request: Request<{ id: string }>, response) => {
    const { file } = await findImage(pool, request.params.id);
    // The row first: a file without a row is garbage, a row without a file is a broken page.
    await pool.query('DELETE FROM images WHERE id = $1', [request.params.id]);
    await rm(join(blobDir, file), { force: true });
    response.status(204).end();
  });
  return router;
}

/** Cleans a picture, writes its file, then its row; whatever fails leaves neither. */
export async function store(
  { pool, blobDir }: Pick<ImageParts, 'pool' | 'blobDir'>,
  product: string,
  path: string,
  alt: string,
): Promise<Image> {
  const { bytes, format, width, height } = await sanitise(path);
  const file = `products/${product}/${randomUUID()}.${format}`;
  await writeBlob(blobDir, file, bytes);
  try {
    const { rows } = await pool.query<Image>(
      'INSERT INTO images (product_id, file, content_type, bytes, width, height, sha256, alt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *',
      [
        product,
        file,
        contentType(format),
        bytes.length,
        width,
        height,
        createHash('sha256').update(bytes).digest('hex'),
        alt,
      ],
    );
    return rows[0]!;
  } catch (error) {
    await rm(join(blobDir, file), { force: true });
    throw error;
  }
}

async function findProduct(pool: pg.Pool, id: string): Promise<void> {
  const { rowCount } = isId(id)
    ? await pool.query('SELECT FROM products WHERE id = $1', [id])
    : { rowCount: 0 };
  if (rowCount === 0) throw new Problem('NOT_FOUND', `there is no product ${id}`);
}

async function findImage(pool: pg.Pool, id: string): Promise<Image> {
  const { rows } = isId(id)
    ? await pool.query<Image>('SELECT * FROM images WHERE id = $1', [id])
    : { rows: [] };
  if (!rows[0]) throw new Problem('NOT_FOUND', `there is no image ${id}`);
  return rows[0];
}

function asJson(image: Image): Record<string, unknown> {
  const { id, product_id, content_type, width, height, bytes, alt } = image;
  return {
    id: Number(id),
    product: Number(product_id),
    url: `/images/${id}`,
    contentType: content_type,
    width,
    height,
    bytes,
    alt,
  };
}

function readAlt(value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_ALT)
    throw new Problem('BAD_REQUEST', `alt is a text of up to ${MAX_ALT} characters`);
  return value.replace(/\p{Cc}+/gu, ' ').trim();
}

/** multer's errors are the client's, though they come without a status. */
function uploadProblem(error: unknown): unknown {
  if (error instanceof multer.MulterError) {
    return error.code === 'LIMIT_FILE_SIZE'
      ? new Problem('TOO_LARGE', `the picture is larger than ${MAX_BYTES} bytes`)
      : new Problem(
          'BAD_REQUEST',
          `${error.message}: send one picture in the field image and, if you like, a text in alt`,
        );
  }
  return error instanceof Problem || (error as NodeJS.ErrnoException).code
    ? error
    : new Problem('BAD_REQUEST', `the upload can not be read: ${(error as Error).message}`);
}
