import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pictures } from './thumbnails.ts';

export const SIDES = ['primary', 'shadow', 'difference'] as const;
export type Side = (typeof SIDES)[number];

/** The pictures of mismatches, PNG files in one folder: they are too large for memory, and other processes of this router read them too. */
export interface PictureStore {
  /** Resolves when they can be read; rejects when the folder can't be written. */
  save(id: string, pictures: Pictures): Promise<void>;
  remove(id: string): void;
  path(id: string, side: Side): string;
}

/** Where they are, in the state folder. */
export function picturesFolder(stateDir: string): string {
  return join(stateDir, 'parity');
}

export function createPictureStore(folder: string): PictureStore {
  const path = (id: string, side: Side): string => join(folder, `${id}-${side}.png`);
  return {
    path,
    async save(id, pictures) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await Promise.all(SIDES.map((side) => writeFile(path(id, side), pictures[side], { mode: 0o600 })));
    },
    remove(id) {
      // What can't be removed now is removed at the next start.
      for (const side of SIDES) rm(path(id, side), { force: true }).catch(() => undefined);
    },
  };
}

/** Removes what an earlier run has left: the list of mismatches ends with its process. */
export function clearPictures(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const file of readdirSync(folder))
    if (/^[0-9a-f]+-[a-z]+\.png$/.test(file)) rmSync(join(folder, file), { force: true });
}
