import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { HEADER, seal, unseal } from './rendition-file.ts';
import { openRenditionFolder, type RenditionFolder } from './rendition-folder.ts';
import { openIndex, UnusableIndex, usedNow, type RenditionIndex, type Total } from './rendition-index.ts';
import { isCorrupt } from './sqlite.ts';
import { sweepRenditions } from './rendition-sweep.ts';

export interface RenditionCacheOptions {
  /** Shared with every process that serves the same pictures from this machine; nothing else may be in it. */
  readonly folder: string;
  /** Bytes of all files together. */
  readonly limit: number;
  readonly log: Pick<Logger, 'warn'>;
  /** Hears of every rendition that could not be read or kept. */
  readonly onError?: () => void;
  /** Hears how many had to go. */
  readonly onEvicted?: (count: number) => void;
  /** Milliseconds between two times that the index is told what was used. Default 1000. */
  readonly touchEvery?: number;
  /** Milliseconds after which what nobody finished is cleared up; longer than a file takes to write. Default 60,000. */
  readonly stale?: number;
}

/** Renditions on the disk. Nothing here rejects: what can not be read is not there, and what can not be kept is not kept. */
export interface RenditionCache {
  read(key: string): Promise<Buffer | null>;
  keep(key: string, bytes: Buffer): Promise<void>;
  /** Says that a rendition was used which was not read here. */
  touch(key: string): void;
  /** Forgets all whose keys begin so. */
  purge(prefix: string): void;
  total(): Total;
  /** Clears up after processes that were killed. */
  sweep(): Promise<void>;
  /** What was used is written down; nothing is read or kept after it. */
  close(): Promise<void>;
}

/** Files that are being written at once; what is made meanwhile is not kept. */
const WRITING = 32;
/** Of the limit, what one rendition may be: one of a kind must not push out everything else. */
const SHARE = 1 / 4;

/** Least recently used goes first, over all processes. Throws what the file system says when the folder can not be used. */
export async function openRenditionCache(options: RenditionCacheOptions): Promise<RenditionCache> {
  const { folder, limit, log, onError, onEvicted, touchEvery = 1000, stale = 60_000 } = options;
  const files = openRenditionFolder(folder);
  const path = join(folder, 'index.sqlite');
  let index = await openOrBeginAnew(path, limit, files, log);
  let isAnew: Promise<void> | null = null;
  const used = new Map<string, number>();
  const writing = new Set<Promise<void>>();
  let isClosed = false;

  const failed = (error: unknown): void => {
    onError?.();
    if (!isCorrupt(error) || isAnew) return;
    isAnew = beginAnew();
  };
  const beginAnew = async (): Promise<void> => {
    try {
      // Only what comes after the first pause is seen as going on.
      await Promise.resolve();
      const isReplaced = index.isReplaced();
      index.close();
      // Another process has been quicker: its index is the one.
      if (!isReplaced) await throwAway(path, files, 'it is damaged', log);
      index = await openOrBeginAnew(path, limit, files, log);
    } catch (error) {
      log.warn({ err: error }, 'the cache of renditions can not be opened anew');
    } finally {
      isAnew = null;
    }
  };
  /** Does something with the index, if that is what the other processes have too. */
  const withIndex = <T>(use: (index: RenditionIndex) => T): T | undefined => {
    if (isClosed || isAnew) return undefined;
    try {
      if (index.isReplaced()) {
        index.close();
        index = openIndex(path, limit);
      }
      return use(index);
    } catch (error) {
      failed(error);
      return undefined;
    }
  };
  const flush = (): void => {
    if (used.size === 0) return;
    withIndex((each) => each.touch(used));
    used.clear();
  };
  const touch = (key: string): void => void used.set(key, usedNow());
  const timer = setInterval(flush, touchEvery).unref();
  const evict = (key: string): void => {
    files.remove(key);
    used.delete(key);
  };
  const trimmed = withIndex((each) => each.trim(evict));
  if (trimmed) onEvicted?.(trimmed);

  const write = async (key: string, bytes: Buffer): Promise<void> => {
    const file = seal(key, bytes);
    // What was used in the last second must not be taken for what was not.
    flush();
    const evicted = withIndex((each) => each.reserve(key, file.length, evict));
    if (evicted === undefined) return;
    if (evicted > 0) onEvicted?.(evicted);
    try {
      const written = await files.write(key, file);
      withIndex((each) => each.place(key, () => files.place(written, key)));
      // It is still there when its room was given to others meanwhile.
      await rm(written, { force: true });
    } catch (error) {
      failed(error);
      withIndex((each) => each.drop([key], files.remove));
    }
  };

  return {
    touch,
    async read(key) {
      try {
        const file = await files.read(key);
        if (!file) return null;
        const bytes = unseal(key, file);
        if (bytes) touch(key);
        else withIndex((each) => each.drop([key], files.remove));
        return bytes;
      } catch (error) {
        failed(error);
        return null;
      }
    },
    async keep(key, bytes) {
      if (isClosed || bytes.length + HEADER > limit * SHARE || writing.size >= WRITING) return;
      const work = write(key, bytes).finally(() => writing.delete(work));
      writing.add(work);
      await work;
    },
    purge(prefix) {
      withIndex((each) => {
        const keys = [...each.range(prefix, `${prefix}~`).keys()];
        if (keys.length > 0) each.drop(keys, files.remove);
      });
    },
    total: () => withIndex((each) => each.total()) ?? { bytes: 0, entries: 0 },
    sweep: () => sweepRenditions(files, withIndex, stale).catch(failed),
    async close() {
      clearInterval(timer);
      await Promise.all(writing);
      await isAnew;
      flush();
      if (isClosed) return;
      isClosed = true;
      index.close();
    },
  };
}

async function openOrBeginAnew(
  path: string,
  limit: number,
  files: RenditionFolder,
  log: Pick<Logger, 'warn'>,
): Promise<RenditionIndex> {
  try {
    return openIndex(path, limit);
  } catch (error) {
    if (!(error instanceof UnusableIndex)) throw error;
    await throwAway(path, files, error.message, log);
    return openIndex(path, limit);
  }
}

/** Without the index nobody knows how much there is, so the files go with it: at once, or the limit would not hold meanwhile. */
async function throwAway(
  path: string,
  files: RenditionFolder,
  why: string,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  for (const ending of ['', '-wal', '-shm']) rmSync(path + ending, { force: true });
  await files.clear();
  log.warn({ path }, `the index of the renditions is thrown away, and they are made anew: ${why}`);
}
