import type { WorkerJson } from '../admin/protocol.ts';
import type { Fault } from '../config/fault.ts';

/** What the processes of a router with workers tell each other, as JSON over the IPC channels that Node gives to forked children. */

/** Texts that passed together: whoever reads them in the same environment has the same snapshot, and the same version of it. */
export interface SnapshotText {
  readonly config: string;
  readonly flags: string;
  /** Features that are killed in the state folder. */
  readonly killed: readonly string[];
  readonly version: string;
}

/** What a worker says once a second. */
export interface Report {
  readonly status: Pick<WorkerJson, 'version' | 'connections' | 'upstreams' | 'draining'>;
  /** By reporter: what came since the last report. */
  readonly deltas: Readonly<Record<string, unknown>>;
}

/** Why a process could not start. */
export interface Failed {
  readonly type: 'failed';
  /** Files that are wrong; else null. */
  readonly files: readonly { readonly file: string; readonly faults: readonly Fault[] }[] | null;
  readonly code: string | null;
  readonly message: string;
}

export type ToWorker =
  | { readonly type: 'snapshot'; readonly snapshot: SnapshotText }
  /** Take nothing new and end; in milliseconds. */
  | { readonly type: 'drain'; readonly deadline: number };

export type FromWorker =
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'report'; readonly report: Report }
  | Failed;

export type ToControl =
  /** Read the files; with texts: start from them. */
  | { readonly type: 'load'; readonly lastGood: SnapshotText | null }
  /** Take the state folder and open the admin port, at the address given if any. */
  | { readonly type: 'go'; readonly url: string; readonly adminUrl: string | null }
  | { readonly type: 'report'; readonly name: string; readonly pid: number; readonly report: Report }
  /** A worker ended. */
  | { readonly type: 'gone'; readonly pid: number }
  | { readonly type: 'reload' }
  | { readonly type: 'draining' }
  | { readonly type: 'close' };

export type FromControl =
  | { readonly type: 'snapshot'; readonly snapshot: SnapshotText }
  | { readonly type: 'serving'; readonly adminUrl: string }
  | Failed;

/** Between a process that was replaced, and stays the outermost one, and the one that runs the workers now. */
export type ToRelief = { readonly type: 'go' | 'reload' | 'replace' | 'drain' };
export type FromRelief =
  { readonly type: 'standby' } | { readonly type: 'serving'; readonly adminUrl: string } | Failed;
