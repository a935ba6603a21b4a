import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, unlinkSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Of files that are being written; no key has a dot. */
const ON_ITS_WAY = '.tmp';

/** The files of the renditions: `files/ab/KEY`, with the first two letters of the key as the folder. */
export interface RenditionFolder {
  /** Null when there is none. */
  read(key: string): Promise<Buffer | null>;
  /** Writes a file under a name that nobody looks for, in the folder of the key; the path. */
  write(key: string, file: Buffer): Promise<string>;
  place(path: string, key: string): void;
  remove(key: string): void;
  /** Milliseconds since the file was written; null when there is none. */
  age(key: string): Promise<number | null>;
  shards(): Promise<string[]>;
  /** Keys that have a file there. Removes what was being written more than `age` milliseconds ago. */
  list(shard: string, age: number): Promise<string[]>;
  /** Takes all files away at once; what is written from now on stays. */
  clear(): Promise<void>;
}

export function openRenditionFolder(folder: string): RenditionFolder {
  const files = join(folder, 'files');
  const pathOf = (key: string): string => join(files, key.slice(0, 2), key);
  const ageOf = (path: string): Promise<number | null> =>
    stat(path).then(({ mtimeMs }) => Date.now() - mtimeMs, ifMissing(null));
  mkdirSync(files, { recursive: true });
  return {
    read: (key) => readFile(pathOf(key)).catch(ifMissing(null)),
    async write(key, bytes) {
      const path = `${pathOf(key)}.${randomUUID()}${ON_ITS_WAY}`;
      const create = (): ReturnType<typeof open> => open(path, 'wx', 0o644);
      const file = await create().catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        await mkdir(dirname(path), { recursive: true });
        return create();
      });
      try {
        await file.writeFile(bytes).finally(() => file.close());
        return path;
      } catch (error) {
        await rm(path, { force: true }).catch(() => undefined);
        throw error;
      }
    },
    place: (path, key) => renameSync(path, pathOf(key)),
    remove(key) {
      try {
        unlinkSync(pathOf(key));
      } catch (error) {
        ifMissing(undefined)(error as NodeJS.ErrnoException);
      }
    },
    age: (key) => ageOf(pathOf(key)),
    shards: async () => (await readdir(files).catch(ifMissing([]))).filter((name) => name.length === 2),
    async list(shard, age) {
      const keys: string[] = [];
      for (const name of await readdir(join(files, shard)).catch(ifMissing([]))) {
        if (!name.endsWith(ON_ITS_WAY)) keys.push(name);
        else if (((await ageOf(join(files, shard, name))) ?? 0) > age)
          await rm(join(files, shard, name), { force: true });
      }
      return keys;
    },
    async clear() {
      const aside = join(folder, `old-${randomUUID()}`);
      await rename(files, aside).catch(ifMissing(undefined));
      await mkdir(files, { recursive: true });
      for (const name of await readdir(folder))
        if (name.startsWith('old-')) await rm(join(folder, name), { recursive: true, force: true });
    },
  };
}

function ifMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value;
    throw error;
  };
}
