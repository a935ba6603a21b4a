import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { BlobLocks } from './blob-locks.ts';
import { SHA256, placeOf, type Blobs } from './blobs.ts';
import { sweepIncoming } from './incoming.ts';
import type { S3Store } from './s3-store.ts';

export interface S3BlobsOptions {
  readonly store: S3Store;
  readonly locks: BlobLocks;
  /** Local, of what is on its way to the bucket, and of what was fetched to be worked on. */
  readonly incoming: string;
  /** Milliseconds; longer than any upload takes, and than clocks differ. */
  readonly grace?: number;
}

/**
 * Blobs as objects of a bucket. A put is atomic there, but nothing can be moved aside, so collecting is kept from placing by a lock of the hash: who places holds
 * it until its row is committed, and who collects asks under it, once more, how old the object is and whether a row refers to it.
 */
export function openS3Blobs({ store, locks, incoming, grace = 3_600_000 }: S3BlobsOptions): Blobs {
  const isYoung = (writtenAt: number): boolean => Date.now() - writtenAt < grace;
  /** Fetched files in use: those who need one at the same time share it. */
  const fetched = new Map<string, { readonly path: Promise<string>; users: number }>();

  const fetch = async (sha256: string): Promise<string> => {
    const bytes = await store.read(placeOf(sha256));
    await mkdir(incoming, { recursive: true });
    const path = join(incoming, randomUUID());
    // Opened first: a stream that is given up while it opens makes the file after we have removed it.
    const file = await open(path, 'wx', 0o644).catch((error: unknown) => {
      bytes.destroy();
      throw error;
    });
    const hash = createHash('sha256');
    try {
      const hashed = async function* (source: Readable): AsyncGenerator<Buffer> {
        try {
          for await (const chunk of source as AsyncIterable<Buffer>) {
            hash.update(chunk);
            yield chunk;
          }
        } catch (error) {
          throw store.away(error as Error);
        }
      };
      await pipeline(bytes, hashed, file.createWriteStream());
      if (hash.digest('hex') !== sha256) throw new Error(`the object of ${sha256} has other bytes`);
      return path;
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  };

  return {
    incoming,
    destination: { blobs: null, isKept: false },
    original: (sha256) => ({
      async withFile(use) {
        const file = fetched.get(sha256) ?? { path: fetch(sha256), users: 0 };
        fetched.set(sha256, file);
        file.users += 1;
        try {
          return await use(await file.path);
        } finally {
          file.users -= 1;
          if (file.users === 0) {
            fetched.delete(sha256);
            await file.path.then((path) => rm(path, { force: true })).catch(() => undefined);
          }
        }
      },
      read: (span, signal) => store.read(placeOf(sha256), span, signal),
    }),
    async stage(sha256, { path: file }) {
      return {
        async place(within) {
          await locks.share(within, sha256);
          if (!(await store.renew(placeOf(sha256)))) await store.put(placeOf(sha256), file, sha256);
        },
        discard: () => rm(file, { force: true }),
      };
    },
    touch: async (sha256) => void (await store.renew(placeOf(sha256))),
    async collect(referred) {
      await sweepIncoming(incoming, grace);
      for await (const page of store.list('sha256/')) {
        const old = page
          .filter(({ writtenAt }) => !isYoung(writtenAt))
          .map(({ key }) => key.split('/').at(-1)!)
          .filter((sha256) => SHA256.test(sha256));
        const kept = old.length > 0 ? await referred(old) : null;
        for (const sha256 of old.filter((each) => !kept?.has(each)))
          await locks.alone(sha256, async (within) => {
            const writtenAt = await store.writtenAt(placeOf(sha256));
            if (writtenAt === null || isYoung(writtenAt)) return;
            if (!(await referred([sha256], within)).has(sha256)) await store.delete(placeOf(sha256));
          });
      }
    },
  };
}
