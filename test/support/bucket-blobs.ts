import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { openBlobLocks } from '../../extracted/image-api/blob-locks.ts';
import { openS3Blobs } from '../../extracted/image-api/blobs-s3.ts';
import { placeOf, type Arrived, type Blobs, type Session } from '../../extracted/image-api/blobs.ts';
import { openS3Store } from '../../extracted/image-api/s3-store.ts';
import { readS3Url } from '../../extracted/image-api/s3-url.ts';
import { arrived } from './arrived.ts';
import { testDatabase, testPool } from './postgres.ts';
import { S3_CREDENTIALS, startS3, type S3Server } from './s3-server.ts';

export const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');
/** Where a blob is in the bucket. */
export const keyOf = (sha256: string): string => `shop/a/${placeOf(sha256)}`;

export interface BucketBlobs {
  s3: S3Server;
  readonly pool: pg.Pool;
  /** Without a row, a blob stays an hour. */
  readonly blobs: Blobs;
  /** The same, with another grace in milliseconds. */
  open(grace: number): Blobs;
  /** Names of the errors that were told. */
  readonly heard: string[];
  /** Names of all objects, and of all local files. */
  there(): string[];
  local(): string[];
  /** A file as an upload leaves it. */
  received(text: string): Arrived;
  /** Runs something in a transaction. */
  within(work: (session: Session) => Promise<void>): Promise<void>;
  /** Places a blob with these bytes, as when a row is added; answers its hash. */
  place(text: string, into?: Blobs): Promise<string>;
  /** Makes an object two hours older. */
  age(sha256: string): void;
  close(): Promise<void>;
}

/** Blobs in a bucket of this process, of two objects a page, that wait half a second for it; with a database for their locks. */
export async function openBucketBlobs(): Promise<BucketBlobs> {
  Object.assign(process.env, S3_CREDENTIALS);
  const database = await testDatabase({ migrate: [] });
  const pool = testPool(database.url, 12);
  const s3 = await startS3({ pageSize: 2 });
  const heard: string[] = [];
  const url = readS3Url('BLOB_URL', s3.urlOf('shop/a'), undefined);
  const store = openS3Store(url, { connect: 500, answer: 500 }, (error) => heard.push(error.name));
  const folder = mkdtempSync(join(tmpdir(), 'blobs-'));
  const incoming = join(folder, 'incoming');
  mkdirSync(incoming);
  const open = (grace: number): Blobs => openS3Blobs({ store, locks: openBlobLocks(pool), incoming, grace });
  const blobs = open(3_600_000);
  const within: BucketBlobs['within'] = async (work) => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await work(client);
      await client.query('COMMIT');
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  };
  const received = (text: string): Arrived => {
    // Not in `incoming`, which is swept without a grace in some tests.
    const file = join(folder, randomUUID());
    writeFileSync(file, text);
    return arrived(file);
  };
  return {
    s3,
    pool,
    blobs,
    open,
    heard,
    within,
    received,
    there: () => [...s3.objects.keys()].map((key) => key.split('/').at(-1)!).sort(),
    local: () => (existsSync(incoming) ? readdirSync(incoming) : []),
    async place(text, into = blobs) {
      const staged = await into.stage(sha256Of(text), received(text));
      await within((session) => staged.place(session)).finally(() => staged.discard());
      return sha256Of(text);
    },
    age: (sha256) => void (s3.objects.get(keyOf(sha256))!.writtenAt -= 7_200_000),
    async close() {
      store.close();
      await s3.close();
      await pool.end();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
