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

/** What a worker says now and then, and with every new snapshot. */
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

/** Where a port is. */
export interface Address {
  readonly host: string;
  readonly port: number;
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
  /** Open the admin port, at the address given if any, and decide from now on. */
  | { readonly type: 'go'; readonly listen: Address | null }
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
