import type { FileStatus, FlagsStatus } from '../flags/current.ts';
import type { Stage } from '../flags/stage.ts';
import type { Entry, MoveEntry } from '../journal/journal.ts';
import type { MoveJson } from '../moves/moves.ts';
import type { GateResult } from '../ramp/gate.ts';
import type { WritesView } from '../metrics/writes.ts';
import type { RampView } from '../ramp/loop.ts';

/** The JSON of the admin API: what the router answers, the CLI prints and a script relies on. */

export type GateJson = GateResult;

export interface FeatureJson {
  readonly name: string;
  /** `seam`: the application diverts it by itself and asks for the flag; no route of it passes the router. */
  readonly kind: 'http' | 'seam';
  readonly owner: string;
  readonly stage: Stage;
  /** Share of the service in percent; null when the flag holds no single share. */
  readonly percent: number | null;
  readonly state: 'ENABLED' | 'DISABLED';
  readonly ramp: RampView;
  /** What each gate says now. */
  readonly gates: readonly GateJson[];
  readonly upstream: string;
  readonly default: string;
  readonly flag: string;
  readonly data: string;
  /** Of a feature whose data moves; else null. With workers: of all of them. */
  readonly writes: WritesView | null;
  /** Flags evaluated for applications since the router's start, by side. */
  readonly evaluations: Readonly<Record<string, number>>;
  readonly routes: readonly string[];
  /** Set when the state folder says other than the flag file. */
  readonly drift: string | null;
  /** Send it as If-Match with a change. */
  readonly etag: string;
}

/** A process that carries requests. */
export interface WorkerJson {
  /** `worker 1`, `worker 2` … */
  readonly name: string;
  readonly pid: number;
  /** Of the snapshot it serves. */
  readonly version: string;
  readonly connections: number;
  /** Its own view of the instances: breakers and limits are per worker. */
  readonly upstreams: unknown;
  /** True when it finishes what it has and takes nothing new. */
  readonly draining: boolean;
}

export interface StatusJson {
  readonly config: FileStatus;
  readonly flags: FlagsStatus & { readonly writable: boolean };
  /** Version of what serves now, config and flags together. */
  readonly version: string;
  readonly draining: boolean;
  readonly connections: number;
  /** With workers: the sums over all, and the worst breaker. */
  readonly upstreams: unknown;
  /** null when the router is one process. */
  readonly workers: readonly WorkerJson[] | null;
  readonly features: readonly FeatureJson[];
  /** Moves of data that runners have reported; parked rows are in `/api/moves`. */
  readonly moves: readonly MoveSummaryJson[];
  readonly uptimeSeconds: number;
}

export type { MoveJson };
export type MoveSummaryJson = Omit<MoveJson, 'parked'>;

export interface MovesJson {
  readonly moves: readonly MoveJson[];
}

export interface ExplainJson {
  readonly feature: string | null;
  readonly upstream: string;
  readonly reason: string;
  readonly stage: Stage | null;
  readonly percent: number | null;
  readonly version: string;
  readonly route: string | null;
  readonly fallback: string | null;
  /** While the data moves: who answers a read of this client, and who does the writes of what the path names. Else null. */
  readonly readSide: string | null;
  readonly writeHome: string | null;
  /** The path as it is decided on and forwarded; empty where a feature was asked for instead. */
  readonly path: string;
}

/** How far the two sides of a feature agree. */
export interface ParityJson {
  readonly counts: Readonly<Record<'match' | 'mismatch' | 'ignored' | 'incomparable', number>>;
  /** Sampled requests that were not compared, in all. */
  readonly dropped: number;
  /** The same by why. */
  readonly droppedBy: Readonly<Record<string, number>>;
  /** Share of the requests that is compared; null when the feature has no shadow. */
  readonly sample: number | null;
  /** Newest first; only the newest of each kind are kept. */
  readonly mismatches: readonly MismatchJson[];
}

export interface MismatchJson {
  readonly id: string;
  readonly at: string;
  readonly method: string;
  /** Path and query, without what looks like a secret. */
  readonly path: string;
  /** The route as configured. */
  readonly route: string;
  /** Upstream that answered the client, and the one that was asked beside it. */
  readonly primary: string;
  readonly shadow: string;
  /** Kind of the first difference: status, header, json, order, text, bytes or image. */
  readonly kind: string;
  /** Where the first difference is, for all answers of the route. */
  readonly place: string;
  /** A side on which the thing is missing has no value. */
  readonly differences: readonly {
    readonly kind: string;
    readonly where: string;
    readonly primary?: string | number | boolean | null;
    readonly shadow?: string | number | boolean | null;
  }[];
  /** Paths of PNG pictures on the admin port. */
  readonly images?: { readonly primary: string; readonly shadow: string; readonly difference: string };
}

export interface JournalJson<Of = Entry | MoveEntry> {
  /** Newest first. What happened to a move of data has `move` in the place of `feature`. */
  readonly entries: readonly Of[];
  readonly total: number;
}

/** One side of a feature over the last 10 seconds; null where there is nothing to tell from. */
export interface SideJson {
  readonly upstream: string;
  /** Requests a second. */
  readonly rate: number | null;
  /** 0 to 1, by the upstream's own answers. */
  readonly errorRate: number | null;
  /** Milliseconds. */
  readonly p50: number | null;
  readonly p95: number | null;
}

/** What the sides of each feature did in the last five minutes, for charts that begin now. The oldest moment first, five seconds from one to the next. */
export interface HistoryJson {
  readonly moments: readonly {
    /** ISO 8601, UTC: the end of what was measured. */
    readonly at: string;
    readonly features: readonly { readonly name: string; readonly sides: readonly SideJson[] }[];
  }[];
}

/** What goes on right now, for whoever looks on: once a second. */
export interface LiveJson {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly features: readonly {
    readonly name: string;
    readonly stage: Stage;
    readonly percent: number | null;
    readonly state: 'ENABLED' | 'DISABLED';
    readonly ramp: RampView;
    readonly gates: readonly GateJson[];
    /** The default upstream and the service. */
    readonly sides: readonly SideJson[];
  }[];
  readonly moves: readonly MoveSummaryJson[];
  readonly upstreams: unknown;
  /** Both files together: rejected when one of them is. */
  readonly config: Pick<FileStatus, 'state' | 'faults'> & { readonly stale?: boolean };
  /** Id of the newest entry; null while there is none. */
  readonly journal: string | null;
}
