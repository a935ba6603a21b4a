import { link, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sync } from './sync.ts';

export interface Files {
  /** Folder of uploads on their way; on the same disk as the blobs. */
  readonly incoming: string;
  pathOf(name: string): string;
  /** Makes a blob of a synced file in `incoming`, durably. The promise to settle it is kept even by a later process. */
  write(name: string, from: string): Promise<void>;
  /** Promises that the blob goes as soon as its row has gone. */
  doom(name: string): Promise<void>;
  /** Ends the promise: row and blob are both there. */
  keep(name: string): Promise<void>;
  /** Ends the promise: neither is there. */
  drop(name: string): Promise<void>;
  /** Settles promises of processes that ended, and deletes what they received. `hasRow` says whether a blob belongs to a row. */
  sweep(hasRow: (name: string) => Promise<boolean>): Promise<void>;
}

/** Begins the names of this service's promises: on a shared folder it must not judge those of others by its own rows. */
const OURS = 'image-api!';

/**
 * The blob folder. No transaction spans it and the database, so between the two steps of an upload or a deletion a promise lies in `incoming`: a
 * second link to the blob, whose name says which one it is. If the process ends there, a sweep finds the promise and settles it by the row.
 * `stale`: milliseconds after which what lies in `incoming` can't be alive any more.
 */
export function openFiles(folder: string, stale = 3_600_000): Files {
  const incoming = join(folder, 'incoming');
  const pathOf = (name: string): string => join(folder, name);
  const promiseOf = (name: string): string => join(incoming, OURS + name.replaceAll('/', '!'));
  const keep = (name: string): Promise<void> => rm(promiseOf(name), { force: true });
  const drop = async (name: string): Promise<void> => {
    await rm(pathOf(name), { force: true });
    await keep(name);
  };
  return {
    incoming,
    pathOf,
    keep,
    drop,
    async write(name, from) {
      const path = pathOf(name);
      let isLinked = false;
      try {
        await mkdir(incoming, { recursive: true });
        await link(from, promiseOf(name));
        await sync(incoming);
        const isNew = (await mkdir(dirname(path), { recursive: true })) !== undefined;
        await link(promiseOf(name), path);
        isLinked = true;
        await sync(dirname(path));
        // Made just now, so its own entry has to reach the disk too.
        if (isNew) for (const above of [dirname(dirname(path)), folder]) await sync(above);
      } catch (error) {
        // Each on its own: what kept the one from being made may keep it from being removed.
        await Promise.allSettled([isLinked && rm(path, { force: true }), keep(name)]);
        throw error;
      }
    },
    doom: (name) =>
      link(pathOf(name), promiseOf(name)).catch((error: NodeJS.ErrnoException) => {
        // The blob is gone, or another request deletes the same picture.
        if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
      }),
    async sweep(hasRow) {
      await mkdir(incoming, { recursive: true });
      for (const entry of await readdir(incoming)) {
        // ctime changes when a link is made; the content of what is being deleted is old.
        const found = await stat(join(incoming, entry)).catch(() => null);
        if (!found || Date.now() - Math.floor(found.ctimeMs) < stale) continue;
        const name = entry.startsWith(OURS) ? entry.slice(OURS.length).replaceAll('!', '/') : null;
        if (name !== null) await ((await hasRow(name)) ? keep(name) : drop(name));
        // What others promised has their mark in its name; a received file has none.
        else if (/^[0-9a-f-]{36}$/.test(entry)) await rm(join(incoming, entry), { force: true });
      }
    },
  };
}
