import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';

/** A blob of a row: its path below the old side's folder, and the SHA-256 of its bytes, in hexadecimal, by which the new side keeps it. */
export interface Blob {
  readonly path: string;
  readonly sha256: string;
}

/** The two sides' folders. They are not the same one: see the README on what sharing forbids. */
export interface BlobFolders {
  /** Files at the paths that rows name. */
  readonly legacy: string;
  /** Files at `sha256/ab/abcd…`. */
  readonly own: string;
}

/** What became of one: it was copied, or it was there. */
export type Carried = 'copied' | 'there';

/**
 * Why a blob could not be carried; its row can't be applied, and waits. `missing`: the source is not there, unless the row was deleted since, so read it again
 * before you park it. `differs`: the bytes are not those of the
 * hash, where `place` says. Anything else that goes wrong (a full disk) is thrown as it comes and says nothing of the blob.
 */
export class BlobFault extends Error {
  readonly kind: 'missing' | 'differs' | 'outside';
  readonly place: string;
  constructor(kind: BlobFault['kind'], place: string, message: string) {
    super(message);
    this.kind = kind;
    this.place = place;
  }
}

/** Bytes read at a time; what a copy has in memory, whatever the size of the blob. */
const CHUNK = 1 << 20;
/** Buffers nobody reads into: fresh memory for each would cost more than the hash. There are as many as blobs were ever carried at once. */
const spare: Buffer[] = [];

/**
 * Brings a blob to the new side. Call it before each try to apply its row, also when an earlier one was refused: it begins the blob's grace anew, so that
 * the new side, which collects blobs that no row names, does not collect it in the meantime.
 */
export async function carryUp({ legacy, own }: BlobFolders, blob: Blob): Promise<Carried> {
  return carry(within(legacy, blob.path), ownPath(own, blob.sha256), resolve(own), blob.sha256);
}

/** Brings a blob back to the old side, to the path its row names there. */
export async function carryDown({ legacy, own }: BlobFolders, blob: Blob): Promise<Carried> {
  return carry(ownPath(own, blob.sha256), within(legacy, blob.path), resolve(legacy), blob.sha256);
}

/**
 * Carries many, `atOnce` at a time (default 4, as many as Node's threads that wait for disks). Answers what is wrong with which: the rows of those can't be
 * applied, all others can. Rejects with whatever else goes wrong, when those that were begun have ended.
 */
export async function carryAll(
  carry: typeof carryUp,
  folders: BlobFolders,
  blobs: Iterable<Blob>,
  atOnce = 4,
): Promise<ReadonlyMap<Blob, BlobFault>> {
  const faults = new Map<Blob, BlobFault>();
  // One iterator for all: each takes the next.
  const rest = Iterator.from(blobs);
  const lanes = Array.from({ length: atOnce }, async () => {
    for (let next = rest.next(); !next.done; next = rest.next()) {
      const blob = next.value;
      await carry(folders, blob).catch((error: unknown) => {
        if (!(error instanceof BlobFault)) throw error;
        faults.set(blob, error);
      });
    }
  });
  const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected');
  if (failed) throw (failed as PromiseRejectedResult).reason;
  return faults;
}

/**
 * Removes the old side's file of a row that was deleted there by sync; on the new side blobs are collected by the service itself. Call it after that deletion
 * was committed and before the row counts as clean: if this process ends in between, the deletion is applied again, and so is this. `isNamed` says whether
 * a row of the old side still names the path (one that was given another key does).
 */
export async function dropDown(
  { legacy }: BlobFolders,
  path: string,
  isNamed: (path: string) => Promise<boolean>,
): Promise<void> {
  const file = within(legacy, path);
  if (!(await isNamed(path))) await rm(file, { force: true });
}

/** Reads both copies again. Throws a BlobFault for the first that is missing or differs. */
export async function verifyBlob({ legacy, own }: BlobFolders, blob: Blob): Promise<void> {
  for (const path of [within(legacy, blob.path), ownPath(own, blob.sha256)])
    await mustHash(path, blob.sha256);
}

/** SHA-256 of a file, in hexadecimal; null when there is none. */
export async function hashOf(path: string): Promise<string | null> {
  const file = await openOrNull(path);
  if (!file) return null;
  try {
    return await eachChunk(file, async () => undefined);
  } finally {
    await file.close();
  }
}

/**
 * The copy is made under a name nobody looks for, in the target's `incoming`, synced, read again and only then renamed. So whatever is at `target` is whole,
 * and a copy that was cut off is begun anew; what it left has the name of any received file, so the application that owns the folder sweeps it.
 */
async function carry(source: string, target: string, folder: string, sha256: string): Promise<Carried> {
  if (await isThere(target, sha256)) return 'there';
  const incoming = join(folder, 'incoming');
  await mkdir(incoming, { recursive: true });
  const pending = join(incoming, randomUUID());
  const from = await openOrNull(source);
  if (!from) throw missing(source);
  try {
    const to = await open(pending, 'wx', 0o644);
    const found = await eachChunk(from, (chunk) => writeAll(to, chunk))
      .then(async (hash) => {
        await to.sync();
        return hash;
      })
      .finally(() => to.close());
    if (found !== sha256) throw differs(source, sha256, found);
    await mustHash(pending, sha256);
    await mkdirSynced(dirname(target), folder);
    await rename(pending, target);
    await syncFolder(dirname(target));
    return 'copied';
  } finally {
    await from.close();
    await rm(pending, { force: true });
  }
}

/**
 * True when the target is whole; it is touched first, so that nobody collects it meanwhile. Its bytes are read, not trusted: one that lies spoilt under its
 * name would be taken for carried, and this is the last moment at which the source is surely still there to replace it.
 */
async function isThere(target: string, sha256: string): Promise<boolean> {
  try {
    await utimes(target, new Date(), new Date());
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  // Null: collected between the two. Another hash: the copy goes over it.
  if ((await hashOf(target)) !== sha256) return false;
  return (await stat(target).catch(() => null)) !== null;
}

async function mustHash(path: string, sha256: string): Promise<void> {
  const found = await hashOf(path);
  if (found === null) throw missing(path);
  if (found !== sha256) throw differs(path, sha256, found);
}

/** Reads a file to its end, one chunk at a time; answers its SHA-256. */
async function eachChunk(file: FileHandle, use: (chunk: Buffer) => Promise<void>): Promise<string> {
  const hash = createHash('sha256');
  const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK);
      if (bytesRead === 0) return hash.digest('hex');
      const chunk = buffer.subarray(0, bytesRead);
      hash.update(chunk);
      await use(chunk);
    }
  } finally {
    spare.push(buffer);
  }
}

async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let offset = 0; offset < chunk.length;)
    offset += (await file.write(chunk, offset, chunk.length - offset)).bytesWritten;
}

/** A path that a row names is data: it must not lead out of the folder. */
function within(folder: string, path: string): string {
  const full = resolve(folder, path);
  if (path === '' || path.includes('\0') || !full.startsWith(resolve(folder) + sep))
    throw new BlobFault('outside', path, `${JSON.stringify(path)} is no path below the blob folder`);
  return full;
}

function ownPath(folder: string, sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new BlobFault('outside', sha256, `${JSON.stringify(sha256)} is no SHA-256`);
  return join(resolve(folder), 'sha256', sha256.slice(0, 2), sha256);
}

async function openOrNull(path: string): Promise<FileHandle | null> {
  return open(path, 'r').catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
}

/** Makes a folder so that it is there after a crash: its own entry and those above it, up to the blob folder, reach the disk too. */
async function mkdirSynced(path: string, top: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length > top.length; made = dirname(made)) await syncFolder(dirname(made));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function missing(place: string): BlobFault {
  return new BlobFault('missing', place, `${place} is missing`);
}

function differs(place: string, wanted: string, found: string): BlobFault {
  return new BlobFault('differs', place, `${place} has the SHA-256 ${found}, not ${wanted}`);
}
