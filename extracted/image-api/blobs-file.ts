import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SHA256, placeOf, type Blobs, type Referred } from './blobs.ts';
import { sweepIncoming } from './incoming.ts';
import { fileOriginal } from './original.ts';

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
    pathOf,
    original: (sha256) => fileOriginal(pathOf(sha256)),
    stage(sha256, staged) {
      const path = pathOf(sha256);
      const stagedAt = Date.now();
      let isPlaced = false;
      return Promise.resolve({
        discard: async () => void (isPlaced || (await rm(staged, { force: true }))),
        async place() {
          // Over an equal one, if there is: that makes it young in the same step, and whole again should its disk have spoilt it. Touched once more
          // where a row had to wait for long.
          if (Date.now() - stagedAt >= grace / 2) await utimes(staged, new Date(), new Date());
          let isNew = false;
          await rename(staged, path).catch(async (error: NodeJS.ErrnoException) => {
            if (error.code !== 'ENOENT') throw error;
            isNew = (await mkdir(dirname(path), { recursive: true })) !== undefined;
            await rename(staged, path);
          });
          isPlaced = true;
          await sync(dirname(path));
          // Made just now, so its own entry has to reach the disk too.
          if (isNew) for (const above of [dirname(dirname(path)), folder]) await sync(above);
        },
      });
    },
    touch: (sha256) => utimes(pathOf(sha256), new Date(), new Date()).catch(ifMissing(undefined)),
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

/** A file or a folder. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
