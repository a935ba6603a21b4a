import type { Limits } from './limits.ts';
import type { Observation, Plan, RequestHead } from './plan.ts';
import type { Upstream } from './upstream.ts';
import type { UpgradeLane } from './upgrade.ts';

/** Where the data path says what an operator should know. */
export interface GatewayLog {
  error(fields: object, message: string): void;
}

/** What all connections have in common. */
export interface Gateway {
  readonly limits: Limits;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  /** The same clock as of the last sweep: exact to a tenth of a second, and free. */
  readonly coarseNow: () => number;
  readonly plan: (head: RequestHead) => Plan;
  readonly observe: (observation: Observation) => void;
  readonly upstream: (name: string) => Upstream | undefined;
  readonly isTrusted: (address: string) => boolean;
  readonly isDraining: () => boolean;
  /** Random hexadecimal text of so many bytes. */
  readonly newId: (bytes: number) => string;
  /** Where bodies are kept that may have to be sent again. */
  readonly spoolFolder: string;
  readonly upgrades: UpgradeLane;
  readonly log: GatewayLog;
}
