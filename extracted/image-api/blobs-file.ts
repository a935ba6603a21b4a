import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, rename, rm, stat, unlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SHA256, placeOf, type Blobs, type Referred } from './blobs.ts';
import { sweepIncoming } from './incoming.ts';
import { fileOriginal } from './original.ts';
import { sync } from './sync.ts';

export interface BlobFolder extends Blobs {
  /** `sha256` in hexadecimal. */
  pathOf(sha256: string): string;
}

/** Begins the names of blobs that are being collected: `doomed!SHA256!UUID`. */
const DOOMED = 'doomed!';

/**
 * Blobs as files of a folder. `grace`: milliseconds; longer than any upload takes.
 *
 * Collecting races with somebody who places the same bytes again. So the blob is first moved aside, and then looked at once more: whoever placed it
 * before the move has made it young, and it goes back; whoever places it after finds nothing there and makes a new one.
 */
export function openBlobFolder(folder: string, grace = 3_600_000): BlobFolder {
  const incoming = join(folder, 'incoming');
  const pathOf = (sha256: string): string => join(folder, placeOf(sha256));
  /** Folders of blobs whose own entries are known to be on the disk. */
  const lasting = new Set<string>();

  const isYoung = async (path: string): Promise<boolean> => {
    const found = await stat(path).catch(ifMissing(null));
    return found !== null && Date.now() - Math.floor(found.mtimeMs) < grace;
  };
  /** Ends what `collect` began with a blob, perhaps in a process that is gone. */
  const settle = async (name: string, referred: Referred): Promise<void> => {
    const aside = join(incoming, name);
    const sha256 = name.split('!')[1]!;
    // Who can't be asked has not said that it may go.
    const answer = await referred([sha256]).catch((error: unknown) => error);
    if ((await isYoung(aside)) || !(answer instanceof Set) || answer.has(sha256)) {
      // There may be a new one already, or another process puts it back: as good.
      await link(aside, pathOf(sha256)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST' && error.code !== 'ENOENT') throw error;
      });
      await sync(dirname(pathOf(sha256)));
    }
    await rm(aside, { force: true });
    if (!(answer instanceof Set)) throw answer;
  };

  return {
    incoming,
    destination: { blobs: folder, isKept: true },
    pathOf,
    original: (sha256) => fileOriginal(pathOf(sha256)),
    async stage(sha256, { path: staged, size, sync: onDisk }) {
      const path = pathOf(sha256);
      // Equal bytes are on the disk already, and need no second way there. One that is shorter was cut off by its disk: it is made anew.
      const isStored = (await stat(path).catch(() => null))?.size === size;
      if (!isStored) await onDisk();
      const stagedAt = Date.now();
      let isPlaced = false;
      return {
        discard: async () => void (isPlaced || (await unlink(staged).catch(ifMissing(undefined)))),
        async place() {
          // Touched, it is as young as one that is placed now. Where it was just collected, or is aside, this one takes its name.
          if (!isStored || !(await renew(path))) {
            if (isStored) await onDisk();
            // A row may have had to wait for long.
            if (Date.now() - stagedAt >= grace / 2) await renew(staged);
            await rename(staged, path).catch(async (error: NodeJS.ErrnoException) => {
              if (error.code !== 'ENOENT') throw error;
              lasting.delete(dirname(path));
              await mkdir(dirname(path), { recursive: true });
              await rename(staged, path);
            });
            isPlaced = true;
          }
          // Also of one that was there: who placed it may only be about to do so.
          await sync(dirname(path));
          if (lasting.has(dirname(path))) return;
          for (const above of [dirname(dirname(path)), folder]) await sync(above);
          lasting.add(dirname(path));
        },
      };
    },
    touch: async (sha256) => void (await renew(pathOf(sha256))),
    async collect(referred) {
      await sweepIncoming(incoming, grace);
      for (const entry of await readdir(incoming))
        if (entry.startsWith(DOOMED)) await settle(entry, referred);
      // A shard at a time: that bounds memory, and one query asks for many.
      for (const shard of await readdir(join(folder, 'sha256')).catch(ifMissing([]))) {
        const old: string[] = [];
        for (const sha256 of await readdir(join(folder, 'sha256', shard)))
          if (SHA256.test(sha256) && !(await isYoung(pathOf(sha256)))) old.push(sha256);
        const kept = old.length > 0 ? await referred(old) : null;
        for (const sha256 of old.filter((each) => !kept?.has(each))) {
          // Asking took its time, and while a blob is aside nobody can read it.
          if (await isYoung(pathOf(sha256))) continue;
          // A name for this one time: were there two collectors, the one could remove what the other has just found young.
          const aside = `${DOOMED}${sha256}!${randomUUID()}`;
          const isAside = await rename(pathOf(sha256), join(incoming, aside)).then(
            () => true,
            ifMissing(false),
          );
          if (isAside) await settle(aside, referred);
        }
      }
    },
  };
}

/** For a file that is not there: somebody else was faster. */
function ifMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code !== 'ENOENT') throw error;
    return value;
  };
}

/** Begins the grace of a file anew; false when there is none. */
function renew(path: string): Promise<boolean> {
  return utimes(path, new Date(), new Date()).then(() => true, ifMissing(false));
}
