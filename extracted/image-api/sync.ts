import { open } from 'node:fs/promises';

/** Resolves when what a file or a folder holds is on the disk (fsync(2)): of a folder, its names. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
