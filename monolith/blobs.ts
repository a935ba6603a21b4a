import { link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/*
 * A row and its file can't be written in one transaction, and a process can end between any two steps. So as long as the two may disagree, a
 * second link to the file lies in `incoming`: first link → file → row → link gone; and for deleting, link → row gone → file gone → link gone.
 * Whatever is cut off leaves the link, and cleaning settles it by asking whether there is a row. The name begins with the owner: a service on the same
 * folder may keep its rows elsewhere, so nobody settles what another began.
 */

const OWNER = 'shop~';

/** Writes a file so that it is whole and on the disk under its name, or not there at all. `settleBlob` or `removeBlob` must follow. */
export async function writeBlob(blobDir: string, name: string, bytes: Buffer): Promise<void> {
  const path = join(blobDir, name);
  const pending = pendingPath(blobDir, name);
  let isLinked = false;
  await mkdir(dirname(pending), { recursive: true });
  try {
    const file = await open(pending, 'wx', 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(dirname(pending));
    const created = await mkdir(dirname(path), { recursive: true });
    await link(pending, path);
    isLinked = true;
    await syncFolder(dirname(path));
    // A new folder is an entry of its parent, which must not be lost either.
    if (created !== undefined) {
      await syncFolder(dirname(dirname(path)));
      await syncFolder(blobDir);
    }
  } catch (error) {
    // Each on its own: what kept the one from being made may keep it from being removed.
    await Promise.allSettled([isLinked && rm(path, { force: true }), settleBlob(blobDir, name)]);
    throw error;
  }
}

/** Says that the file is about to go, so that it does even if this process ends first. */
export async function announceRemoval(blobDir: string, name: string): Promise<void> {
  try {
    await link(join(blobDir, name), pendingPath(blobDir, name));
  } catch (error) {
    // Already gone, or announced by somebody who deletes the same picture.
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Row and file agree: there are both. */
export async function settleBlob(blobDir: string, name: string): Promise<void> {
  await rm(pendingPath(blobDir, name), { force: true });
}

/** Row and file agree: there is neither. */
export async function removeBlob(blobDir: string, name: string): Promise<void> {
  await rm(join(blobDir, name), { force: true });
  await settleBlob(blobDir, name);
}

/**
 * Clears up after processes that ended in the middle: received files nobody waits for any more, and blobs of whom `isKept` knows no row. Younger
 * ones (milliseconds) are left alone: they may be in work.
 */
export async function cleanIncoming(
  blobDir: string,
  isKept: (name: string) => Promise<boolean>,
  olderThan = 3_600_000,
  now = Date.now(),
): Promise<void> {
  const incoming = join(blobDir, 'incoming');
  for (const entry of await readdir(incoming).catch(() => [])) {
    const path = join(incoming, entry);
    const found = await stat(path).catch(() => null);
    // The time of the inode, not of the content: a file that is being deleted was written long ago.
    if (!found || now - Math.floor(found.ctimeMs) < olderThan) continue;
    if (entry.startsWith(OWNER)) {
      const name = entry.slice(OWNER.length).replaceAll('~', '/');
      if (await isKept(name)) await settleBlob(blobDir, name);
      else await removeBlob(blobDir, name);
      // Received files and the seed's folders; what a service left with a mark of its own is for it to settle.
    } else if (/^([0-9a-f-]{36}$|seed-)/.test(entry)) await rm(path, { recursive: true, force: true });
  }
}

function pendingPath(blobDir: string, name: string): string {
  return join(blobDir, 'incoming', OWNER + name.replaceAll('/', '~'));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
