import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, fsync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { avifParts } from './avif-parts.ts';
import { placeOf, type Destination } from './blobs.ts';
import { bytesOf, WINDOW, type BytesOf } from './bytes-of.ts';
import { JpegMarks } from './jpeg-marks.ts';
import { jpegParts } from './jpeg-parts.ts';
import { hasTooManyScans } from './jpeg-scans.ts';
import type { Walk, Walked } from './parts.ts';
import { pngParts } from './png-parts.ts';
import { Problem } from './problem.ts';
import type { Examined, Order, Report } from './receiving.ts';
import { webpParts } from './webp-parts.ts';
import type { Kind } from './wish.ts';

interface File {
  readonly path: string;
  readonly memory: SharedArrayBuffer;
  readonly descriptor: number;
  readonly hash: Hash;
  readonly marks: JpegMarks;
  isEnding: boolean;
  isDropped: boolean;
}

/** Kinds whose container is known here. */
const WALKS: Partial<Record<Kind, Walk>> = {
  jpeg: jpegParts,
  png: pngParts,
  webp: webpParts,
  avif: avifParts,
};
const files = new Map<number, File>();
/** What the walk of one file has in memory; they take turns, as no walk lets go of the thread. */
const window = Buffer.alloc(WINDOW);
const synced = promisify(fsync);
/**
 * Bytes of one write. The page cache of Linux takes blocks as large as a write is; up to eight pages they come from what the core has just freed
 * (pcp_allowed_order in mm/page_alloc.c), larger ones from free memory at large, which the host of a virtual machine may have to give anew, page by page.
 */
const WRITE = 32_768;
const { blobs, isKept } = workerData as Destination;

const tell = (report: Report): void => parentPort!.postMessage(report);

// Reads and writes are synchronous: the pool that others wait for is full of pictures being made, and here nobody else waits.
parentPort!.on('message', (order: Order) => {
  const { number } = order;
  try {
    obey(order);
  } catch (error) {
    fail(number, error);
  }
});

function obey(order: Order): void {
  const { number } = order;
  if (order.what === 'begin') {
    const { path, memory } = order;
    const descriptor = openSync(path, 'wx+');
    files.set(number, {
      path,
      memory,
      descriptor,
      hash: createHash('sha256'),
      marks: new JpegMarks(),
      isEnding: false,
      isDropped: false,
    });
    return;
  }
  const file = files.get(number);
  // It has ended or failed, and that was told.
  if (!file) return;
  switch (order.what) {
    case 'write': {
      const bytes = Buffer.from(file.memory, (order.slot * file.memory.byteLength) / 2, order.length);
      for (let done = 0; done < bytes.length;)
        done += writeSync(file.descriptor, bytes, done, Math.min(WRITE, bytes.length - done));
      file.hash.update(bytes);
      file.marks.push(bytes);
      return tell({ number, what: 'written', slot: order.slot });
    }
    case 'end':
      file.isEnding = true;
      return void end(number, file, order.kind);
    case 'drop':
      file.isDropped = true;
      if (!file.isEnding) drop(number);
  }
}

async function end(number: number, file: File, kind: Kind): Promise<void> {
  try {
    const { size } = fstatSync(file.descriptor);
    const sha256 = file.hash.digest('hex');
    const isStored = isBlob(sha256, size);
    const isSyncing = isKept && !isStored;
    const onDisk = isSyncing ? synced(file.descriptor) : null;
    let examined: Examined;
    try {
      examined = { sha256, isStored, ...examine(file, size, kind) };
      if (isSyncing) tell({ number, what: 'ended', examined, isSyncing });
    } finally {
      // Nobody closes a file that is being synced.
      await onDisk;
    }
    if (file.isDropped) return drop(number);
    files.delete(number);
    closeSync(file.descriptor);
    tell(isSyncing ? { number, what: 'synced' } : { number, what: 'ended', examined, isSyncing });
  } catch (error) {
    fail(number, error);
  }
}

function drop(number: number): void {
  remove(number);
  tell({ number, what: 'dropped' });
}

function fail(number: number, error: unknown): void {
  // What it was is told; that nothing is left of it can only be tried.
  try {
    remove(number);
  } catch {}
  const { message, code } = error as NodeJS.ErrnoException;
  tell({ number, what: 'failed', message, code });
}

function remove(number: number): void {
  const file = files.get(number);
  if (!file) return;
  files.delete(number);
  closeSync(file.descriptor);
  rmSync(file.path, { force: true });
}

/** Whether a blob has these bytes, as far as a look at it tells. */
function isBlob(sha256: string, size: number): boolean {
  if (blobs === null) return false;
  return statSync(join(blobs, placeOf(sha256)), { throwIfNoEntry: false })?.size === size;
}

function examine(
  { descriptor, marks }: File,
  size: number,
  kind: Kind,
): Pick<Examined, 'walked' | 'hasTooManyScans'> {
  const bytes = (): BytesOf => bytesOf((...at) => readSync(descriptor, ...at), size, window);
  const walked = walk(bytes(), kind, marks);
  // One scan was seen by the walk; all others are counted before a decoder sees them.
  const isCounted = kind === 'jpeg' && (walked === null || walked === 'damaged' || walked.proof === 'all');
  return {
    walked,
    hasTooManyScans: isCounted && hasTooManyScans(bytes()),
  };
}

function walk(bytes: BytesOf, kind: Kind, marks: JpegMarks): Walked | 'damaged' | null {
  try {
    return WALKS[kind]?.(bytes, marks) ?? null;
  } catch (error) {
    if (error instanceof Problem) return 'damaged';
    throw error;
  }
}
