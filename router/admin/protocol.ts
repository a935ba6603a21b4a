import type { FileStatus } from '../flags/current.ts';
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
  readonly ramp: { readonly state: 'none' | 'running' | 'paused' | 'latched' };
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
  readonly flags: FileStatus & { readonly writable: boolean };
  /** Version of what serves now, config and flags together. */
  readonly version: string;
  readonly draining: boolean;
  readonly connections: number;
  /** With workers: the sums over all, and the worst breaker. */
  readonly upstreams: unknown;
  /** null when the router is one process. */
  readonly workers: readonly WorkerJson[] | null;
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
