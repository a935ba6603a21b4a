import type { FileStatus } from '../flags/current.ts';
import type { Fault } from '../config/fault.ts';
import type { Stage } from '../flags/stage.ts';
import type { Entry } from '../journal/journal.ts';

/** The JSON of the admin API: what the router answers, the CLI prints and a script relies on. */

export interface FeatureJson {
  readonly name: string;
  readonly owner: string;
  readonly stage: Stage;
  /** Share of the service in percent; null when the flag holds no single share. */
  readonly percent: number | null;
  readonly state: 'ENABLED' | 'DISABLED';
  readonly ramp: {
    readonly state: 'none' | 'running' | 'paused' | 'latched';
    /** Index into the steps; null outside of them. */
    readonly step?: number | null;
    readonly percent?: number | null;
    /** When the step began, and until when it is held; ISO 8601. */
    readonly since?: string | null;
    readonly holdUntil?: string | null;
  };
  readonly gates?: readonly GateJson[];
  readonly upstream: string;
  readonly default: string;
  readonly flag: string;
  readonly data: string;
  readonly routes: readonly string[];
  /** Set when the state folder says other than the flag file. */
  readonly drift: string | null;
  /** Send it as If-Match with a change. */
  readonly etag: string;
}

export interface StatusJson {
  readonly config: FileStatus;
  readonly flags: FileStatus & { readonly writable: boolean };
  /** Version of what serves now, config and flags together. */
  readonly version: string;
  readonly draining: boolean;
  readonly connections: number;
  readonly upstreams: unknown;
  readonly features: readonly FeatureJson[];
  readonly uptimeSeconds: number;
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
  /** The path as it is decided on and forwarded. */
  readonly path: string;
}

export interface JournalJson {
  /** Newest first. */
  readonly entries: readonly Entry[];
  readonly total: number;
}

/** What a gate measured in the window of the step. */
export interface GateJson {
  readonly metric: string;
  readonly verdict: 'pass' | 'breach' | 'notEnough';
  readonly value: number | null;
  readonly limit: number | null;
  readonly samples: { readonly baseline: number; readonly candidate: number };
  /** The verdict as a sentence. */
  readonly text: string;
}

/** One side of a feature over the last 10 seconds; null where there is nothing to tell from. */
export interface SideJson {
  readonly upstream: string;
  /** Requests a second. */
  readonly rate: number | null;
  /** Share of them that failed, 0 to 1. */
  readonly errorRate: number | null;
  /** Milliseconds. */
  readonly p50: number | null;
  readonly p95: number | null;
}

/** Data of the event `live`. */
export interface LiveJson {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly features: readonly (Pick<FeatureJson, 'name' | 'stage' | 'percent' | 'state' | 'ramp'> & {
    readonly gates: readonly GateJson[];
    readonly sides: readonly SideJson[];
  })[];
  readonly upstreams: unknown;
  /** Both files together: rejected when one of them is. */
  readonly config: { readonly state: 'applied' | 'rejected'; readonly faults: readonly Fault[] };
  /** Id of the newest entry of the journal. */
  readonly journal: string | null;
}
