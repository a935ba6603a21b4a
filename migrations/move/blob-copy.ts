import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { S3Blobs } from './s3-blobs.ts';

/** SHA-256 of a file, in hexadecimal; null when there is none. */
export const hashOf = (path: string): Promise<string | null> => fileAt(path).read(async () => undefined);

/** A copy of a blob, to be read. */
export interface Copy {
  /** Its file or object, for people. */
  readonly place: string;
  /** Gives `use` all bytes, in pieces; answers their SHA-256, or null when there are none. */
  read(use: (chunk: Buffer) => Promise<void>): Promise<string | null>;
}

export function fileAt(path: string): Copy {
  return {
    place: path,
    async read(use) {
      const file = await openOrNull(path);
      return file && eachChunk(file, use).finally(() => file.close());
    },
  };
}

export const objectIn = (bucket: S3Blobs, sha256: string): Copy => ({
  place: bucket.placeOf(sha256),
  read: (use) => bucket.read(sha256, use),
});

/** Bytes read at a time; what a copy has in memory, whatever the size of the blob. */
const CHUNK = 1 << 20;
/** Buffers nobody reads into: fresh memory for each would cost more than the hash. There are as many as blobs were ever carried at once. */
const spare: Buffer[] = [];

/** Reads a file to its end, one chunk at a time; answers its SHA-256. */
async function eachChunk(file: FileHandle, use: (chunk: Buffer) => Promise<void>): Promise<string> {
  const hash = createHash('sha256');
  const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK);
      if (bytesRead === 0) return hash.digest('hex');
      const chunk = buffer.subarray(0, bytesRead);
      hash.update(chunk);
      await use(chunk);
    }
  } finally {
    spare.push(buffer);
  }
}

async function openOrNull(path: string): Promise<FileHandle | null> {
  return open(path, 'r').catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
}

/** Whether an error says that there is no such file. */
export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
