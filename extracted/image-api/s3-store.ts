import { CopyObjectCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { S3Driver } from 'flydrive/drivers/s3';
import { createReadStream } from 'node:fs';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type { Span } from './original.ts';
import { Problem } from './problem.ts';
import type { S3Place } from './s3-url.ts';

/** Milliseconds. */
export interface S3Limits {
  /** Until a connection stands. */
  readonly connect: number;
  /** Until an answer begins, the upload included; and between two pieces of a body. */
  readonly answer: number;
}

/** What blobs need of a bucket. Keys are below the place's prefix. Each throws 503 when the bucket can't be reached or says no. */
export interface S3Store {
  /** Rejects with a NoSuchKey when there is no such object. */
  read(key: string, span?: Span, signal?: AbortSignal): Promise<Readable>;
  /** Of `size` bytes; the store refuses others than those of the hash. What was sent half is not there. */
  put(key: string, file: string, sha256: string): Promise<void>;
  /** Makes an object young; false: there is none. */
  renew(key: string): Promise<boolean>;
  /** When it was last written, in milliseconds since the epoch; null: there is none. */
  writtenAt(key: string): Promise<number | null>;
  delete(key: string): Promise<void>;
  /** Pages of all objects whose keys begin so. */
  list(beginning: string): AsyncGenerator<{ key: string; writtenAt: number }[]>;
  /** The answer, with 503, when bytes broke off in the middle. */
  away(error: Error): Error;
  close(): void;
}

/** There is no such object, as there may be no such file. */
export class NoSuchKey extends Error {
  readonly code = 'ENOENT';
}

const ignore = (): void => undefined;
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** `hear` is told why the store was away. */
export function openS3Store(place: S3Place, limits: S3Limits, hear: (error: Error) => void): S3Store {
  const sockets = { maxSockets: 256, keepAlive: true };
  const client = new S3Client({
    region: place.region,
    ...(place.endpoint === null ? {} : { endpoint: place.endpoint }),
    forcePathStyle: place.isPathStyle,
    // It would write to the console of what is told with the error.
    logger: SILENT,
    // One more try of what has no body to send again.
    maxAttempts: 2,
    // Our own is sent with each upload; other stores do not know those that AWS's client makes up.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: limits.connect,
      requestTimeout: limits.answer,
      socketTimeout: limits.answer,
      throwOnRequestTimeout: true,
      httpAgent: sockets,
      httpsAgent: sockets,
    },
  });
  const { bucket } = place;
  const driver = new S3Driver({ client, bucket, visibility: 'private', supportsACL: false });
  const full = (key: string): string => (place.prefix === '' ? key : `${place.prefix}/${key}`);
  const isMissing = (error: unknown): boolean => {
    const { name, $metadata } = error as { name?: string; $metadata?: { httpStatusCode?: number } };
    return name !== 'NoSuchBucket' && $metadata?.httpStatusCode === 404;
  };
  const away = (error: Error): Error => {
    hear(error);
    return new Problem(503, 'the store of the pictures can not be reached at the moment', {
      'retry-after': '2',
    });
  };
  /** `missing` stands for what is not there. */
  const ask = async <T>(asking: Promise<T>, missing: () => T): Promise<T> =>
    asking.catch((error: unknown) => {
      if (isMissing(error)) return missing();
      if (error instanceof NoSuchKey) throw error;
      throw away(error as Error);
    });

  return {
    async read(key, span, signal) {
      const range = span && `bytes=${span.start}-${span.end}`;
      const get = new GetObjectCommand({ Bucket: bucket, Key: full(key), Range: range });
      const reading =
        // The driver knows neither ranges nor how to give up.
        span || signal
          ? client.send(get, signal ? { abortSignal: signal } : {}).then(({ Body }) => Body as Readable)
          : driver.getStream(full(key));
      return ask(
        reading.catch((error: unknown) => {
          if (signal?.aborted) throw new NoSuchKey('nobody waits for it any more');
          throw error;
        }),
        () => {
          throw new NoSuchKey(`there is no object ${full(key)}`);
        },
      );
    },
    async put(key, file, sha256) {
      const { size } = await stat(file);
      const bytes = createReadStream(file);
      await once(bytes, 'open');
      try {
        // By its hash the store tells whether all of it has arrived, and rightly.
        const checksum = { ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64') };
        await driver.putStream(full(key), bytes, { contentLength: size, ...checksum });
      } catch (error) {
        throw away(error as Error);
      } finally {
        bytes.destroy();
      }
    },
    renew: (key) =>
      ask(
        client
          .send(
            new CopyObjectCommand({
              Bucket: bucket,
              Key: full(key),
              CopySource: `${bucket}/${full(key)}`,
              // An object is copied onto itself only if something about it is new.
              MetadataDirective: 'REPLACE',
            }),
          )
          .then(() => true),
        () => false,
      ),
    writtenAt: (key) =>
      ask<number | null>(
        driver.getMetaData(full(key)).then(({ lastModified }) => lastModified.getTime()),
        () => null,
      ),
    delete: (key) => ask(driver.delete(full(key)), () => undefined),
    async *list(beginning) {
      for (let token: string | undefined; ;) {
        const options = { recursive: true, ...(token === undefined ? {} : { paginationToken: token }) };
        const page = await driver.listAll(full(beginning), options).catch((error: unknown) => {
          throw away(error as Error);
        });
        const found = [];
        for (const object of page.objects) {
          if (!object.isFile) continue;
          const { lastModified } = await object.getMetaData();
          const key = place.prefix === '' ? object.key : object.key.slice(place.prefix.length + 1);
          found.push({ key, writtenAt: lastModified.getTime() });
        }
        yield found;
        token = page.paginationToken;
        if (token === undefined) return;
      }
    },
    away,
    close: () => client.destroy(),
  };
}
