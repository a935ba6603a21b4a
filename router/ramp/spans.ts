import { PARITY_RESULTS, noParity, type ParityCounts } from '../metrics/parity-ring.ts';
import { addSide, emptySum, type SideWindow } from '../metrics/ring.ts';
import type { FeatureWindow, Windows } from '../metrics/windows.ts';
import type { Evidence, Span } from './gate.ts';

/** Seconds of the shortest end of a step that is looked at: a fault that comes late must not drown in what was well before. */
export const SHORTEST = 20;

/** Longest span that is looked at, in seconds: what the windows hold. */
export const LONGEST = 86_400;

/** Lengths in seconds of what is looked at after `seconds` of a step: all of it, then its ends, each twice the next. */
export function spanLengths(seconds: number): [number, ...number[]] {
  const whole = Math.min(LONGEST, Math.max(0, Math.floor(seconds)));
  const ends: number[] = [];
  for (let length = SHORTEST; length < whole; length *= 2) ends.unshift(length);
  return [whole, ...ends];
}

/** A baseline of an earlier step, kept for when the default upstream has no share to measure. */
export interface Kept {
  /** End of the step it was measured in, milliseconds since the epoch. */
  readonly until: number;
  readonly side: SideWindow;
}

export interface Sides {
  readonly feature: string;
  /** The service. */
  readonly candidate: string;
  /** The default upstream. */
  readonly baseline: string;
}

/** What came before a step in the second in which it began: that second belongs to both. */
export function headOf(windows: Pick<Windows, 'compared'>, feature: string, from: number): FeatureWindow {
  return windows.compared(feature, Math.floor(from / 1000) * 1000, from);
}

/** What is known of a step that began at `from`, at the moment `to` (milliseconds since the epoch), without the `head` of its first second. */
export function evidenceOf(
  windows: Pick<Windows, 'compared'>,
  { feature, candidate, baseline }: Sides,
  from: number,
  to: number,
  kept: Kept | null,
  head: FeatureWindow | null = null,
): Evidence {
  const start = Math.floor(from / 1000);
  const end = Math.ceil(to / 1000);
  // From the shortest to the longest, each the one before and what lies before that: every second is read once.
  const spans: Span[] = [];
  let read = 0;
  let last: Omit<Span, 'seconds'> = { candidate: null, baseline: null, parity: noParity() };
  for (const seconds of spanLengths(end - start).toReversed()) {
    const { sides, parity } = windows.compared(feature, (end - seconds) * 1000, (end - read) * 1000);
    const before = seconds === end - start ? head : null;
    last = {
      candidate: without(sum(last.candidate, sides[candidate]), before?.sides[candidate]),
      baseline: kept ? kept.side : without(sum(last.baseline, sides[baseline]), before?.sides[baseline]),
      parity: addedParity(addedParity(last.parity, parity), before?.parity, -1),
    };
    spans.unshift({ seconds, ...last });
    read = seconds;
  }
  return {
    candidate,
    baseline,
    spans: spans as [Span, ...Span[]],
    baselineAge: kept ? Math.max(0, Math.round((to - kept.until) / 1000)) : null,
  };
}

function sum(a: SideWindow | null, b: SideWindow | undefined): SideWindow | null {
  if (!a || !b) return a ?? b ?? null;
  const both = emptySum();
  addSide(both, a);
  addSide(both, b);
  return both;
}

/** What a side did without its `head`. */
export function without(all: SideWindow | null, head: SideWindow | undefined): SideWindow | null {
  if (!all || !head) return all;
  return {
    requests: all.requests - head.requests,
    errors: all.errors - head.errors,
    open: all.open - head.open,
    histogram: Float64Array.from(all.histogram, (count, bucket) => count - head.histogram[bucket]!),
  };
}

function addedParity(a: ParityCounts, b: ParityCounts = noParity(), times = 1): ParityCounts {
  const both = { ...a };
  for (const result of PARITY_RESULTS) both[result] += times * b[result];
  return both;
}
