import { statSync } from 'node:fs';
import type { Arrived } from '../../extracted/image-api/blobs.ts';
import { sync } from '../../extracted/image-api/sync.ts';

/** A file as an upload leaves it to a store. */
export function arrived(path: string): Arrived {
  return { path, size: statSync(path).size, sync: () => sync(path) };
}
