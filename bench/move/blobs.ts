import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { carryAll, carryUp, verifyBlob, type Blob, type BlobFolders } from '../../migrations/move/blobs.ts';

const MEGABYTE = 1_000_000;

/** Megabytes (10^6) a second that reach the new side's folder, and that are verified afterwards, both copies counted once. */
export async function blobs(dir: string, count: number): Promise<{ carried: number; verified: number }> {
  const folders: BlobFolders = { legacy: join(dir, 'legacy'), own: join(dir, 'own') };
  mkdirSync(folders.legacy);
  mkdirSync(folders.own);
  const all: Blob[] = Array.from({ length: count }, (_, index) => {
    const bytes = randomBytes(MEGABYTE);
    writeFileSync(join(folders.legacy, `${index}.jpeg`), bytes);
    return { path: `${index}.jpeg`, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  const perSecond = async (use: typeof carryUp): Promise<number> => {
    const began = performance.now();
    const faults = await carryAll(use, folders, all);
    for (const fault of faults.values()) throw fault;
    return count / ((performance.now() - began) / 1000);
  };
  return {
    carried: await perSecond(carryUp),
    verified: await perSecond(async (...args) => {
      await verifyBlob(...args);
      return 'there';
    }),
  };
}
