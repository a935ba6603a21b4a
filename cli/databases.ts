import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BlobFolders } from '@strangler-kit/migrations/move/blobs.ts';
import type { MoveDescription } from '@strangler-kit/migrations/move/description.ts';
import { readS3Url } from '@strangler-kit/migrations/move/s3-place.ts';
import { Failure } from './output.ts';

export interface PlaceOptions {
  /** The databases' URLs. */
  readonly from?: string;
  readonly to?: string;
  /** Folders of the files. */
  readonly fromBlobs?: string;
  readonly toBlobs?: string;
}

export interface Places {
  readonly from: string;
  readonly to: string;
  readonly blobs: BlobFolders | undefined;
}

/**
 * Where the two sides of a move are: by option, else by variable, else as `make up` has left it in DATA_DIR/databases.json for its embedded server. Throws a
 * Failure that names what is missing.
 */
export function placesOf(
  description: Pick<MoveDescription, 'sides' | 'blob'>,
  options: PlaceOptions,
): Places {
  const left = leftByUp();
  const find = (option: string | undefined, variable: string): string | undefined =>
    option ?? (process.env[variable] || left[variable]);
  const from = find(options.from, 'DATABASE_URL');
  const to = find(options.to, 'IMAGE_DATABASE_URL');
  if (!from) throw new Failure(2, ['name the database that is left with --from or DATABASE_URL']);
  if (!to) throw new Failure(2, ['name the database that is moved to with --to or IMAGE_DATABASE_URL']);
  const { blob, sides } = description;
  if (!blob) return { from, to, blobs: undefined };
  const fromBlobs = find(options.fromBlobs, 'BLOB_URL');
  const toBlobs = find(options.toBlobs, 'IMAGE_BLOB_URL');
  if (!fromBlobs || !toBlobs)
    throw new Failure(2, [
      'its rows have files: name their folders with --from-blobs and --to-blobs, or BLOB_URL and IMAGE_BLOB_URL',
    ]);
  const hasPathsAtFrom = blob.pathsAt === sides.from;
  const [legacy, own] = hasPathsAtFrom
    ? [folder(fromBlobs, sides.from), folderOrBucket(toBlobs)]
    : [folder(toBlobs, sides.to), folderOrBucket(fromBlobs)];
  if (legacy === own)
    throw new Failure(2, [`both sides' files are in ${own}: the new side needs a folder of its own`]);
  return { from, to, blobs: { legacy, own } };
}

function leftByUp(): Readonly<Record<string, string>> {
  try {
    return JSON.parse(
      readFileSync(join(process.env['DATA_DIR'] || '.data', 'databases.json'), 'utf8'),
    ) as Record<string, string>;
  } catch {
    return {};
  }
}

/** Where blobs are by their hash: a folder, or the URL of a bucket, as it is. */
function folderOrBucket(text: string): string {
  if (!text.startsWith('s3:')) return folder(text, null);
  try {
    readS3Url('IMAGE_BLOB_URL', text, process.env['AWS_REGION']);
  } catch (error) {
    throw new Failure(2, [(error as Error).message]);
  }
  return text;
}

/** A folder, or a `file:` URL of one. `side`: the one whose rows name paths, which are in a folder only. */
function folder(text: string, side: string | null): string {
  if (!/^[a-z][a-z0-9+.-]+:/i.test(text)) return resolve(text);
  if (!text.startsWith('file:'))
    throw new Failure(2, [
      side === null
        ? `${text} is neither a folder nor a bucket like s3://bucket/prefix`
        : `${text} is no folder: the rows of ${side} name files by their paths, which are in a folder`,
    ]);
  return text.startsWith('file:/')
    ? fileURLToPath(text)
    : resolve(decodeURIComponent(text.slice('file:'.length)));
}
