import { CopyObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { readS3Url } from './s3-place.ts';

/** Blobs as objects of a bucket, at `sha256/ab/abcd…` below its prefix. Whatever S3 says but that an object is missing is thrown as it comes. */
export interface S3Blobs {
  /** Where one is, for people. */
  placeOf(sha256: string): string;
  /** Gives `use` all bytes, in pieces; answers their SHA-256. Null: there is no such object. */
  read(sha256: string, use: (chunk: Buffer) => Promise<void>): Promise<string | null>;
  put(sha256: string, file: string): Promise<void>;
  /** Begins its grace anew. */
  touch(sha256: string): Promise<void>;
}

/** Milliseconds until a connection stands, and until an answer begins or goes on. */
const CONNECT = 5000;
const ANSWER = 30_000;
const ignore = (): void => undefined;
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** Credentials are those of AWS's variables and files. */
export function openS3Blobs(url: string): S3Blobs {
  const { bucket, prefix, region, endpoint, isPathStyle } = readS3Url(
    'the URL of the blobs',
    url,
    process.env['AWS_REGION'],
  );
  const client = new S3Client({
    region,
    ...(endpoint === null ? {} : { endpoint }),
    forcePathStyle: isPathStyle,
    // It would write to the console of what is told with the error.
    logger: SILENT,
    // Our own is sent with each object; stores other than AWS's do not know those that the client makes up.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT,
      requestTimeout: ANSWER,
      socketTimeout: ANSWER,
      throwOnRequestTimeout: true,
    },
  });
  const keyOf = (sha256: string): string =>
    `${prefix === '' ? '' : `${prefix}/`}sha256/${sha256.slice(0, 2)}/${sha256}`;
  const at = (sha256: string): { Bucket: string; Key: string } => ({ Bucket: bucket, Key: keyOf(sha256) });
  return {
    placeOf: (sha256) => `s3://${bucket}/${keyOf(sha256)}`,
    async read(sha256, use) {
      const bytes = await client.send(new GetObjectCommand(at(sha256))).then(
        ({ Body }) => Body as Readable,
        (error: Error) => {
          if (error.name === 'NoSuchKey') return null;
          throw error;
        },
      );
      if (!bytes) return null;
      const hash = createHash('sha256');
      for await (const chunk of bytes as AsyncIterable<Buffer>) {
        hash.update(chunk);
        await use(chunk);
      }
      return hash.digest('hex');
    },
    async put(sha256, file) {
      const { size } = await stat(file);
      const bytes = createReadStream(file);
      await once(bytes, 'open');
      const checksum = { ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64') };
      await client
        .send(new PutObjectCommand({ ...at(sha256), Body: bytes, ContentLength: size, ...checksum }))
        .finally(() => bytes.destroy());
    },
    async touch(sha256) {
      const source = `${bucket}/${keyOf(sha256)}`;
      // An object is copied onto itself only if something about it is new.
      const how = { CopySource: source, MetadataDirective: 'REPLACE' } as const;
      await client.send(new CopyObjectCommand({ ...at(sha256), ...how }));
    },
  };
}
