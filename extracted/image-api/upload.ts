import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { RequestHandler } from 'express';
import multer, { MulterError } from 'multer';
import { Problem } from './problem.ts';

/** Bytes of a picture. */
const MAX_BYTES = 25 * 2 ** 20;
/** Characters of a description. */
export const MAX_ALT = 1000;

/**
 * Receives one picture (field `image`) and its description (`alt`) into `incoming`. The file is gone when the answer is, whatever became of the
 * request: what is kept was written elsewhere by then.
 */
export function receiveUpload(incoming: string): RequestHandler {
  const receive = multer({
    storage: multer.diskStorage({
      destination: incoming,
      filename: (_request, _file, done) => done(null, randomUUID()),
    }),
    limits: { files: 1, fileSize: MAX_BYTES, fields: 1, fieldSize: 4 * MAX_ALT, parts: 2, headerPairs: 20 },
    defParamCharset: 'utf8',
  }).single('image');
  return (request, response, next) => {
    receive(request, response, (error: unknown) => {
      const { file } = request;
      // After an error multer has removed the file, and its path with it.
      const path = file?.path;
      if (path) response.on('close', () => void rm(path, { force: true }));
      if (error) next(asProblem(error));
      else if (!file) next(new Problem(400, 'send the picture as multipart/form-data in the field image'));
      else next();
    });
  };
}

export function readAlt(value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_ALT)
    throw new Problem(400, `alt is a text of up to ${MAX_ALT} characters`);
  return value.replace(/\p{Cc}+/gu, ' ').trim();
}

function asProblem(error: unknown): unknown {
  if (error instanceof MulterError) {
    if (error.code === 'LIMIT_FILE_SIZE')
      return new Problem(413, `the picture is larger than ${MAX_BYTES} bytes`);
    return new Problem(
      400,
      `${error.message}: send one picture in the field image and, if you like, a text in alt`,
    );
  }
  // What carries a code is the system's (a full disk, say); all else is the parser's word on a broken body.
  return (error as NodeJS.ErrnoException).code
    ? error
    : new Problem(400, `the upload can not be read: ${(error as Error).message}`);
}
