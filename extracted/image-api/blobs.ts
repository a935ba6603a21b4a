import type pg from 'pg';
import type { Original } from './original.ts';

/** A connection to the database with the rows. */
export type Session = Pick<pg.ClientBase, 'query'>;

/** Says which of these hashes a row refers to; `within`: asked on this connection, as the caller holds a lock on it. */
export type Referred = (sha256s: readonly string[], within?: Session) => Promise<ReadonlySet<string>>;

/** Where received files go. */
export interface Destination {
  /** Folder of blobs that are addressed by content. Null: there is none. */
  readonly blobs: string | null;
  /** They stay on this disk, so they are synced; else only when somebody asks for it. */
  readonly isKept: boolean;
}

/** A file of `incoming` that may become a blob. */
export interface Arrived {
  readonly path: string;
  readonly size: number;
  /** Resolves when its bytes are on the disk; rejects when they can not be. */
  sync(): Promise<void>;
}

/** Bytes that are about to be a blob. */
export interface Staged {
  /**
   * Makes them the blob; it is there, durably, when this returns. `within`: the transaction that adds its row. Throws 503 when the store is away; nothing is
   * half placed then.
   */
  place(within: Session): Promise<void>;
  /** Takes away what was not placed. */
  discard(): Promise<void>;
}

/**
 * Blobs addressed by content: equal bytes are one blob, so nobody may remove it but who knows that no row refers to it and none is about to. A blob is placed
 * before its row is committed, a row goes before its blob, and what is left is collected after a grace, counted from when the blob was last placed or touched.
 * In a folder (blobs-file.ts) or in a bucket (blobs-s3.ts): see decisions/017.
 */
export interface Blobs {
  /** Local folder of what is on its way; where blobs are files, on their disk. */
  readonly incoming: string;
  readonly destination: Destination;
  original(sha256: string): Original;
  /** Takes over a file for the bytes of this hash, in hexadecimal. */
  stage(sha256: string, file: Arrived): Promise<Staged>;
  /** Begins a blob's grace anew; a missing one is no error. */
  touch(sha256: string): Promise<void>;
  /** Removes blobs that nothing refers to and did not in the last `grace` milliseconds. */
  collect(referred: Referred): Promise<void>;
}

export const SHA256 = /^[0-9a-f]{64}$/;

/** Where a blob is below the folder or the prefix: `sha256/ab/abcd…`. */
export const placeOf = (sha256: string): string => `sha256/${sha256.slice(0, 2)}/${sha256}`;
