import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { fileAt, hashOf, isMissing, objectIn, type Copy } from './blob-copy.ts';
import type { Uncollected } from './uncollected.ts';
import type { S3Blobs } from './s3-blobs.ts';

/** A blob of a row: its path below the old side's folder, and the SHA-256 of its bytes, in hexadecimal, by which the new side keeps it. */
export interface Blob {
  readonly path: string;
  readonly sha256: string;
}

/** Where the two sides keep their files. That is not the same folder: see the README on what sharing forbids. */
export interface BlobFolders {
  /** A folder, with files at the paths that rows name. */
  readonly legacy: string;
  /** A folder, with files at `sha256/ab/abcd…`; or the URL of a place in a bucket (s3-place.ts) with such objects. */
  readonly own: string;
  /** Holds a bucket's collector off while a blob is placed; needed with a bucket that is collected. */
  readonly uncollected?: Uncollected | undefined;
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

/**
 * Brings a blob to the new side. Call it before each try to apply its row, also when an earlier one was refused: it begins the blob's grace anew, so that
 * the new side, which collects blobs that no row names, does not collect it in the meantime.
 */
export async function carryUp(folders: BlobFolders, blob: Blob): Promise<Carried> {
  const source = within(folders.legacy, blob.path);
  const bucket = await bucketOf(folders, blob);
  if (!bucket)
    return carry(fileAt(source), ownPath(folders.own, blob.sha256), resolve(folders.own), blob.sha256);
  const { uncollected = (_sha256, work) => work() } = folders;
  return uncollected(blob.sha256, () => carryToBucket(source, bucket, blob.sha256));
}

/** Brings a blob back to the old side, to the path its row names there. */
export async function carryDown(folders: BlobFolders, blob: Blob): Promise<Carried> {
  const { legacy } = folders;
  const target = within(legacy, blob.path);
  return carry(await ownCopy(folders, blob), target, resolve(legacy), blob.sha256);
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

/** Removes the file at a path of the old side; on the new side blobs are collected by the service itself. */
export async function dropDown({ legacy }: BlobFolders, path: string): Promise<void> {
  await rm(within(legacy, path), { force: true });
}

/** Reads both copies again. Throws a BlobFault for the first that is missing or differs. */
export async function verifyBlob(folders: BlobFolders, blob: Blob): Promise<void> {
  await mustHash(fileAt(within(folders.legacy, blob.path)), blob.sha256);
  await mustHash(await ownCopy(folders, blob), blob.sha256);
}

async function ownCopy(folders: BlobFolders, blob: Blob): Promise<Copy> {
  const bucket = await bucketOf(folders, blob);
  return bucket ? objectIn(bucket, blob.sha256) : fileAt(ownPath(folders.own, blob.sha256));
}

const buckets = new Map<string, Promise<S3Blobs>>();

/** Loaded when it is needed: AWS's client is larger than all the rest. Its connections are kept for the next blob. */
async function bucketOf({ own }: BlobFolders, { sha256 }: Blob): Promise<S3Blobs | null> {
  if (!own.startsWith('s3:')) return null;
  mustBeHash(sha256);
  const opened = buckets.get(own) ?? import('./s3-blobs.ts').then(({ openS3Blobs }) => openS3Blobs(own));
  buckets.set(own, opened);
  return opened;
}

/** An object is put whole or not at all. It is read before, as in a folder, and again afterwards. */
async function carryToBucket(source: string, bucket: S3Blobs, sha256: string): Promise<Carried> {
  const target = objectIn(bucket, sha256);
  if ((await target.read(async () => undefined)) === sha256) {
    await bucket.touch(sha256);
    return 'there';
  }
  await mustHash(fileAt(source), sha256);
  await bucket.put(sha256, source);
  await mustHash(target, sha256);
  return 'copied';
}

/**
 * The copy is made under a name nobody looks for, in the target's `incoming`, synced, read again and only then renamed. So whatever is at `target` is whole,
 * and a copy that was cut off is begun anew; what it left has the name of any received file, so the application that owns the folder sweeps it.
 */
async function carry(source: Copy, target: string, folder: string, sha256: string): Promise<Carried> {
  if (await isThere(target, sha256)) return 'there';
  const incoming = join(folder, 'incoming');
  await mkdir(incoming, { recursive: true });
  const pending = join(incoming, randomUUID());
  try {
    const to = await open(pending, 'wx', 0o644);
    const found = await source
      .read((chunk) => writeAll(to, chunk))
      .then(async (hash) => {
        await to.sync();
        return hash;
      })
      .finally(() => to.close());
    if (found === null) throw missing(source.place);
    if (found !== sha256) throw differs(source.place, sha256, found);
    await mustHash(fileAt(pending), sha256);
    await mkdirSynced(dirname(target), folder);
    await rename(pending, target);
    await syncFolder(dirname(target));
    return 'copied';
  } finally {
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

async function mustHash(copy: Copy, sha256: string): Promise<void> {
  const found = await copy.read(async () => undefined);
  if (found === null) throw missing(copy.place);
  if (found !== sha256) throw differs(copy.place, sha256, found);
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
  mustBeHash(sha256);
  return join(resolve(folder), 'sha256', sha256.slice(0, 2), sha256);
}

function mustBeHash(sha256: string): void {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new BlobFault('outside', sha256, `${JSON.stringify(sha256)} is no SHA-256`);
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

function missing(place: string): BlobFault {
  return new BlobFault('missing', place, `${place} is missing`);
}

function differs(place: string, wanted: string, found: string): BlobFault {
  return new BlobFault('differs', place, `${place} has the SHA-256 ${found}, not ${wanted}`);
}
