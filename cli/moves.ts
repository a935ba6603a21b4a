import type { MoveSummaryJson } from '@strangler-kit/router/admin/protocol.ts';

/** Phases in which no runner is needed any more. */
const OVER: readonly string[] = ['complete', 'cancelled', 'contracted'];

/** A move as its runner told it to the router, for people: what it is at first, then what somebody must look at. */
export function moveLines(move: MoveSummaryJson): string[] {
  const { name, phase, percent, buckets, sides, waiting, verifiedAgo, corrupt, silentSince } = move;
  const parked = Object.values(waiting).reduce((sum, side) => sum + side.parked, 0);
  const backlogs = Object.entries(waiting).map(
    ([side, { rows, lag }]) => `${rows} waiting at ${side}, lag ${Math.round(lag)} ms`,
  );
  const backfill =
    phase === 'backfill'
      ? `${Math.round(move.rowsPerSecond)} rows/s, ${move.secondsLeft === null ? 'no end in sight' : `${Math.ceil(move.secondsLeft)} s left`}; `
      : '';
  return [
    `move ${name}: ${phase}, ${buckets.atOld} buckets at ${sides.from}, ${buckets.atNew} at ${sides.to}${buckets.moving > 0 ? `, ${buckets.moving} on their way` : ''} (${percent} % wanted)`,
    `  ${backfill}${backlogs.join('; ')}; ${verifiedAgo === null ? 'not verified yet' : `verified ${Math.round(verifiedAgo / 1000)} s ago`}; ${parked} parked`,
    ...(corrupt === null ? [] : [`  THE SIDES DIFFER: ${corrupt}`]),
    ...(silentSince === null || OVER.includes(phase)
      ? []
      : [`  no runner has been heard of since ${silentSince}: strangler move run ${name}`]),
  ];
}
