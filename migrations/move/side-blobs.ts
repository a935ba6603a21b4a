import { carryAll, carryDown, carryUp, type Blob, type BlobFault, type BlobFolders } from './blobs.ts';
import type { MoveDescription, Row } from './description.ts';

/** What a side knows of the blobs of its rows. */
export interface SideBlobs {
  readonly folders: BlobFolders;
  /** The column of its table with the path, where files are kept at paths; null at the other side. */
  readonly path: string | null;
  /** The blob of one of its rows; null when that has none. */
  of(row: Row): Blob | null;
  /** Brings blobs to the other side. Answers what is wrong with which. */
  carry(blobs: Iterable<Blob>): Promise<ReadonlyMap<Blob, BlobFault>>;
}

/** `toPaths` makes the row of the side with paths from one of this side. */
export function blobsAt(
  { blob, sides }: MoveDescription,
  folders: BlobFolders | undefined,
  side: string,
  toPaths: (row: Row) => Row,
): SideBlobs | undefined {
  if (!blob) return undefined;
  if (!folders) throw new Error(`the rows have files: name the folders of ${sides.from} and ${sides.to}`);
  const hasPaths = side === blob.pathsAt;
  return {
    folders,
    path: hasPaths ? blob.path : null,
    of(row) {
      const { [blob.path]: path, [blob.sha256]: sha256 } = hasPaths ? row : toPaths(row);
      return path != null && sha256 != null ? { path, sha256 } : null;
    },
    carry: (blobs) => carryAll(hasPaths ? carryUp : carryDown, folders, blobs),
  };
}
