import type { pace, Progress } from '@strangler-kit/migrations/move/progress.ts';
import { table } from '../output.ts';

/** What a move has done so far, for people. */
export function progressLines(progress: Progress): string[] {
  const { name, phase, percent, buckets, rows, waiting, parked, verifiedAgo, corrupt } = progress;
  return [
    `${name}: ${phase}, ${buckets.atNew} of ${buckets.all} buckets at the new side (${percent} % wanted)${buckets.moving > 0 ? `, ${buckets.moving} on their way` : ''}`,
    `${rows.known} of about ${rows.all} rows known; ${verifiedAgo === null ? 'not verified yet' : `verified ${Math.round(verifiedAgo / 1000)} s ago`}`,
    ...(corrupt === null ? [] : [`THE SIDES DIFFER: ${corrupt}`]),
    ...table(
      ['from', 'waiting', 'lag', 'parked'],
      Object.entries(waiting).map(([side, { rows, lag, parked }]) => [
        side,
        String(rows),
        `${Math.round(lag)} ms`,
        String(parked),
      ]),
    ),
    ...(parked.length === 0
      ? []
      : ['', ...parkedLines(parked), `try them again at once: strangler move retry ${name} [--key KEY]`]),
  ];
}

function parkedLines(parked: Progress['parked']): string[] {
  return table(
    ['parked at', 'key', 'since', 'next try', 'reason'],
    parked.map(({ side, key, since, retryAt, reason }) => [side, key, since, retryAt, reason]),
  );
}

/** The same in one line, while it goes on. */
export function progressLine(
  progress: Progress,
  { rowsPerSecond, secondsLeft }: ReturnType<typeof pace>,
): string {
  const { phase, buckets, waiting, corrupt } = progress;
  const sides = Object.entries(waiting).map(
    ([side, { rows, lag, parked }]) =>
      `${side}: ${rows} waiting, lag ${Math.round(lag)} ms${parked > 0 ? `, ${parked} parked` : ''}`,
  );
  const backfill =
    phase === 'backfill'
      ? [
          `${Math.round(rowsPerSecond)} rows/s`,
          secondsLeft === null ? 'no end in sight' : `${Math.ceil(secondsLeft)} s left`,
        ]
      : [];
  return [
    phase,
    ...backfill,
    `${buckets.atNew}/${buckets.all} buckets at the new side`,
    ...sides,
    ...(corrupt === null ? [] : [`THE SIDES DIFFER: ${corrupt}`]),
  ].join(' · ');
}
