import { createHash } from 'node:crypto';

/** Buckets of a move, numbered from 0. */
export const BUCKETS = 1024;

/** The bucket of an owner, given as text; the same number as `strangler.MOVE_bucket_of` in the databases. */
export function bucketOf(owner: string): number {
  return createHash('md5').update(owner).digest().readUInt32BE(0) % BUCKETS;
}
