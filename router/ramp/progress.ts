import type { SideWindow } from '../metrics/ring.ts';
import type { Kept } from './spans.ts';

/** What a step is: as long as it stays the same, one window goes on. */
export interface Step {
  readonly stage: string;
  readonly percent: number | null;
  readonly killed: boolean;
}

/** How far a feature is in its step. Times in milliseconds since the epoch. */
export interface Progress extends Step {
  readonly ramp: string;
  /** When the step began, be it in an earlier life of the router. */
  readonly since: number;
  /** From when on there are windows of it. */
  readonly from: number;
  /** The last baseline of a step in which the default upstream had a share. */
  readonly kept: Kept | null;
}

/** True when the default upstream answers nobody whose side is drawn, so that there is nothing to compare with but what was kept. */
export function hasNoBaseline({ stage, percent, killed }: Step): boolean {
  return !killed && (stage === 'live' || stage === 'retired' || (stage === 'canary' && percent === 100));
}

/**
 * The progress at `now`. A new step, or a ramp that was started, begins a new window; what the default upstream did in the one before is
 * kept, unless it is less than `enough` requests and less than what is kept already. Pure. `baselineSince` answers what the default upstream did
 * since a moment; null: nothing.
 */
export function advance(
  last: Progress | null,
  step: Step & { readonly ramp: string },
  now: number,
  enough: number,
  baselineSince: (from: number) => SideWindow | null,
): Progress {
  const { stage, percent, killed, ramp } = step;
  if (last === null) return { stage, percent, killed, ramp, since: now, from: now, kept: null };
  const isSame = last.stage === stage && last.percent === percent && last.killed === killed;
  if (isSame && !(ramp === 'running' && last.ramp !== 'running'))
    return last.ramp === ramp ? last : { ...last, ramp };
  const side = hasNoBaseline(last) ? null : baselineSince(last.from);
  const isBetter =
    side !== null && (side.requests >= enough || side.requests >= (last.kept?.side.requests ?? 0));
  return {
    stage,
    percent,
    killed,
    ramp,
    since: now,
    from: now,
    kept: isBetter ? { until: now, side } : last.kept,
  };
}
