import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Writes a file so that it is whole and on the disk under its name, or not there at all. */
export async function writeBlob(blobDir: string, name: string, bytes: Buffer): Promise<void> {
  const path = join(blobDir, name);
  const temporary = join(blobDir, 'incoming', `${name.replaceAll('/', '-')}.tmp`);
  await mkdir(dirname(path), { recursive: true });
  await mkdir(dirname(temporary), { recursive: true });
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(dirname(path), 'r');
  await folder.sync();
  await folder.close();
}

/** Removes what uploads left that were cut off by the end of a process; running ones are younger. Milliseconds. */
export async function cleanIncoming(blobDir: string, olderThan = 3_600_000, now = Date.now()): Promise<void> {
  const incoming = join(blobDir, 'incoming');
  for (const name of await readdir(incoming).catch(() => [])) {
    const path = join(incoming, name);
    const found = await stat(path).catch(() => null);
    if (found && now - found.mtimeMs > olderThan) await rm(path, { force: true });
  }
}
