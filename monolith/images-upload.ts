import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { NextFunction, Request, Response } from 'express';
import multer from 'multer';
import { Problem } from './errors.ts';
import type { ImageLimits } from './images-limits.ts';

/** One picture that arrived. */
export interface Upload {
  /** Where its bytes are for now; they go when `withUpload` returns. */
  readonly path: string;
  readonly alt: string;
}

/** What is read of a request here, whatever its path. */
type Incoming = Request<Record<string, string>>;

/** Bytes of a form beside its file: boundaries, headers of the parts, the description. */
const FORM_OVERHEAD = 64 * 1024;
const ADVICE = 'send one picture in the field image and, if you like, a text in alt';

/** Receives the form of a request, hands the picture on, and removes the received file whatever became of it. */
export type WithUpload = <T>(
  request: Incoming,
  response: Response,
  use: (upload: Upload) => Promise<T>,
) => Promise<T>;

/**
 * Receives into `incoming` below the blob folder, so that nothing has to be copied between disks. Rejects with TOO_LARGE as soon as that is known
 * and not when the last byte has come; with BAD_REQUEST for every other form than one picture and one text.
 */
export function uploads(blobDir: string, { maxBytes, maxAlt }: ImageLimits): WithUpload {
  const incoming = join(blobDir, 'incoming');
  mkdirSync(incoming, { recursive: true });
  const receive = multer({
    storage: multer.diskStorage({
      destination: incoming,
      filename: (_request, _file, done) => done(null, randomUUID()),
    }),
    limits: {
      files: 1,
      fileSize: maxBytes,
      fields: 1,
      fieldSize: 4 * maxAlt,
      fieldNameSize: 100,
      parts: 2,
      headerPairs: 20,
    },
    defParamCharset: 'utf8',
  }).single('image');
  const tooLarge = (): Problem => new Problem('TOO_LARGE', `the picture is larger than ${maxBytes} bytes`);

  return async (request, response, use) => {
    if (Number(request.get('content-length') ?? 0) > maxBytes + FORM_OVERHEAD) throw tooLarge();
    let isAnswered = false;
    try {
      await new Promise<void>((done, fail) => {
        let received = 0;
        // multer reads a refused body to its end before it says so, and a body without a length may have none.
        const count = (chunk: Buffer): void => {
          received += chunk.length;
          if (received <= maxBytes + FORM_OVERHEAD) return;
          fail(tooLarge());
          // Once answered, a request hears nothing of its client's end any more, and multer would keep the file.
          request.socket.once('close', () => request.destroy());
          request.removeListener('data', count);
        };
        request.on('data', count);
        receive(request as Request, response, (error: unknown) => {
          if (isAnswered) void discard(request);
          if (error) fail(asProblem(error, tooLarge) as Error);
          else done();
        });
      });
      const { file } = request;
      if (!file) throw new Problem('BAD_REQUEST', `there is no picture in the form: ${ADVICE}`);
      return await use({ path: file.path, alt: readForm(request.body, maxAlt) });
    } finally {
      isAnswered = true;
      await discard(request);
    }
  };
}

/** Milliseconds a refused upload is listened to. */
const LINGER = 2000;

/**
 * Passes an error on when the answer can be seen. A client that wants the connection closed has it closed right after the answer, and with bytes
 * still under way that is a reset, which may overtake the answer; so they are waited for, a while. All others are answered at once.
 */
export async function hearOut(
  error: unknown,
  request: Request,
  response: Response,
  next: NextFunction,
): Promise<void> {
  if (!response.shouldKeepAlive && !request.complete) await restOf(request);
  next(error);
}

/** Reads what is still to come and forgets it; gives up after a while. */
async function restOf(request: Request): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, LINGER);
  for (const event of ['end', 'close']) request.once(event, over.resolve);
  request.resume();
  await over.promise;
  clearTimeout(timer);
}

/** After an error multer has removed the file, and taken the path out of what it says of it. */
async function discard({ file }: Incoming): Promise<void> {
  const path = file?.path as string | undefined;
  if (path !== undefined) await rm(path, { force: true });
}

function readForm(body: unknown, maxAlt: number): string {
  const { alt = '', ...others } = { ...(body as Record<string, unknown>) };
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new Problem('BAD_REQUEST', `there is no field ${unknown}: ${ADVICE}`);
  return readAlt(alt, maxAlt);
}

/** A description on one line. Throws BAD_REQUEST. */
export function readAlt(value: unknown, maxAlt: number): string {
  if (typeof value !== 'string' || value.length > maxAlt)
    throw new Problem('BAD_REQUEST', `alt is a text of up to ${maxAlt} characters`);
  return value.replace(/\p{Cc}+/gu, ' ').trim();
}

/** multer's errors are the client's, though they come without a status; the system's (a full disk) have a code that is not multer's. */
function asProblem(error: unknown, tooLarge: () => Problem): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof multer.MulterError)
    return code === 'LIMIT_FILE_SIZE'
      ? tooLarge()
      : new Problem('BAD_REQUEST', `${error.message}: ${ADVICE}`);
  return code === undefined ? new Problem('BAD_REQUEST', `the form can not be read: ${message}`) : error;
}
