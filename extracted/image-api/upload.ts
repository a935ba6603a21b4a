import { unlink } from 'node:fs/promises';
import type { Request, Response } from 'express';
import multer, { MulterError } from 'multer';
import type { Destination } from './blobs.ts';
import { Problem } from './problem.ts';
import { createReceiving } from './receiving.ts';
import { pictureStorage, type Seen } from './storage.ts';

export interface UploadOptions {
  /** Folder of received files. */
  readonly incoming: string;
  /** Where they go. Default: see `createReceiving`. */
  readonly destination?: Destination;
  /** Bytes of a picture. Default 25 MiB. */
  readonly maxBytes?: number;
}

/** One received picture; its file is gone when `receive` has returned. */
export interface Received extends Seen {
  readonly path: string;
  readonly size: number;
  readonly alt: string;
}

export type Receive = <T>(
  request: Request,
  response: Response,
  keep: (received: Received) => Promise<T>,
) => Promise<T>;

/** Characters of a description; as many as the column takes. */
export const MAX_ALT = 1000;
/** Bytes that a form may have beside the picture. */
const AROUND = 65_536;
const WANTED = 'send one picture in the field image and, if you like, a text in alt';

/** Takes one picture (field `image`) and its description (`alt`) out of a form. Throws 400 for every other form, 413 for too many bytes. */
export function createReceive({ incoming, destination, maxBytes = 25 * 2 ** 20 }: UploadOptions): Receive {
  const parse = multer({
    storage: pictureStorage(incoming, createReceiving(destination)),
    limits: {
      files: 1,
      fileSize: maxBytes,
      fields: 1,
      fieldSize: 4 * MAX_ALT,
      fieldNameSize: 100,
      parts: 2,
      headerPairs: 20,
    },
    defParamCharset: 'utf8',
  }).single('image');
  const tooLarge = (): Problem => new Problem(413, `the picture is larger than ${maxBytes} bytes`);

  return async (request, response, keep) => {
    if (Number(request.get('content-length')) > maxBytes + AROUND) throw tooLarge();
    const received = new Promise<void>((resolve, reject) => {
      parse(request, response, (error: unknown) => {
        if (error) reject(asProblem(error, tooLarge()) as Error);
        else resolve();
      });
    });
    const discard = async (): Promise<void> => {
      const path = request.file?.path;
      // Mostly it was taken away, so this looks for nothing first, as rm does.
      if (path)
        await unlink(path).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
    };
    try {
      await Promise.race([received, tooMuch(request, maxBytes + AROUND, tooLarge)]);
    } catch (error) {
      // The parser may still be at it; what it finds then is nobody's. And after an early answer it is not told that the client went away.
      request.socket.once('close', () => request.destroy());
      void received.then(discard, () => undefined);
      throw error;
    }
    try {
      if (!request.file) throw new Problem(400, `there is no picture: ${WANTED}`);
      const { alt = '', ...others } = { ...(request.body as Record<string, unknown>) };
      for (const name of Object.keys(others)) throw new Problem(400, `${name} is no field: ${WANTED}`);
      return await keep({ ...(request.file as Express.Multer.File & Seen), alt: readAlt(alt) });
    } finally {
      await discard();
    }
  };
}

/** Rejects when more than `limit` bytes have come. The parser reports that only when the last has, which may be never. */
function tooMuch(request: Request, limit: number, problem: () => Problem): Promise<never> {
  let count = 0;
  return new Promise((_resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      count += chunk.length;
      if (count > limit) reject(problem());
    });
  });
}

/** A description as it is stored: on one line. */
export function readAlt(value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_ALT)
    throw new Problem(400, `alt is a text of up to ${MAX_ALT} characters`);
  return value.replace(/\p{Cc}+/gu, ' ').trim();
}

function asProblem(error: unknown, tooLarge: Problem): unknown {
  if (error instanceof Problem) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof MulterError)
    return code === 'LIMIT_FILE_SIZE' ? tooLarge : new Problem(400, `${message}: ${WANTED}`);
  // What carries a code is the system's (a full disk, say); all else is the parser's word on a broken body.
  return code === undefined ? new Problem(400, `the form can not be read: ${message}`) : error;
}
