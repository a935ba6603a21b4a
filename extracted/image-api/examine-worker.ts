import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { avifParts } from './avif-parts.ts';
import { bytesOf } from './bytes-of.ts';
import type { Examined, Order, Report } from './examine.ts';
import { jpegParts } from './jpeg-parts.ts';
import type { Walk, Walked } from './parts.ts';
import { pngParts } from './png-parts.ts';
import { Problem } from './problem.ts';
import { webpParts } from './webp-parts.ts';
import type { Kind } from './wish.ts';

/** Kinds whose container is known here. */
const WALKS: Partial<Record<Kind, Walk>> = {
  jpeg: jpegParts,
  png: pngParts,
  webp: webpParts,
  avif: avifParts,
};
const window = Buffer.alloc(2 ** 20);

// Reads are synchronous: the pool that others wait for is full of pictures being made, and here nobody else waits.
parentPort!.on('message', async ({ number, path, kind }: Order) => {
  let report: Report;
  try {
    report = { number, examined: await examine(path, kind) };
  } catch (error) {
    report = { number, error: error as Error };
  }
  parentPort!.postMessage(report);
});

async function examine(path: string, kind: Kind): Promise<Examined> {
  const file = openSync(path, 'r');
  try {
    const hash = createHash('sha256');
    for (let count; (count = readSync(file, window)) > 0;) hash.update(window.subarray(0, count));
    return { sha256: hash.digest('hex'), walked: await walk(file, kind) };
  } finally {
    closeSync(file);
  }
}

async function walk(file: number, kind: Kind): Promise<Walked | 'damaged' | null> {
  const over = WALKS[kind];
  if (!over) return null;
  try {
    return await over(bytesOf((...at) => readSync(file, ...at), fstatSync(file).size));
  } catch (error) {
    if (error instanceof Problem) return 'damaged';
    throw error;
  }
}
