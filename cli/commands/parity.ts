import type { MismatchJson, ParityJson } from '@strangler-kit/router/admin/protocol.ts';
import { ask, type RemoteOptions } from '../client.ts';
import { Failure, print, table } from '../output.ts';

/** Differences shown of one mismatch. */
const MOST = 8;

/** How far the two sides of a feature agree, and what they don't agree on, newest first. */
export async function parityCommand(
  feature: string,
  options: RemoteOptions & { readonly limit: string; readonly check?: boolean },
): Promise<void> {
  if (!/^[1-9]\d*$/.test(options.limit))
    throw new Failure(2, [`--limit ${options.limit} is not a whole number above 0`]);
  const parity = await ask<ParityJson>(options, `/api/features/${encodeURIComponent(feature)}/parity`);
  print(options, parity, () => linesOf(parity, Number(options.limit)));
  if (options.check && parity.counts.mismatch > 0)
    throw new Failure(1, [`${parity.counts.mismatch} answers of the two sides differ`]);
}

function linesOf({ counts, dropped, droppedBy, sample, mismatches }: ParityJson, limit: number): string[] {
  const judged = counts.match + counts.mismatch;
  const share = judged === 0 ? '-' : `${((100 * counts.match) / judged).toFixed(2)} %`;
  const reasons = Object.entries(droppedBy).map(([reason, count]) => `${reason} ${count}`);
  const lines = table(
    ['parity', 'match', 'mismatch', 'ignored', 'incomparable', 'dropped'],
    [
      [
        share,
        ...[counts.match, counts.mismatch, counts.ignored, counts.incomparable].map(String),
        reasons.length === 0 ? String(dropped) : `${dropped} (${reasons.join(', ')})`,
      ],
    ],
  );
  if (sample === null) lines.push('', 'the feature has no shadow in strangler.yaml, so nothing is compared');
  if (mismatches.length === 0) return lines;
  const rows = mismatches.slice(0, limit).flatMap(rowsOf);
  return [...lines, '', ...table(['when', 'request', 'primary', 'where', 'primary', 'shadow'], rows)];
}

/** One row a difference; what is the same for all of them stands in the first. */
function rowsOf(mismatch: MismatchJson): string[][] {
  const { differences, at, method, path, primary } = mismatch;
  const rows = differences
    .slice(0, MOST)
    .map(({ where, kind, ...sides }, index) => [
      ...(index === 0 ? [at, `${method} ${path}`.trim(), primary] : ['', '', '']),
      kind === 'order' ? `${where} (order)` : where,
      text(sides.primary),
      text(sides.shadow),
    ]);
  if (differences.length > MOST) rows.push(['', '', '', `and ${differences.length - MOST} more`, '', '']);
  return rows;
}

function text(value: MismatchJson['differences'][number]['primary']): string {
  if (value === undefined) return '(missing)';
  const whole = typeof value === 'string' ? value : JSON.stringify(value);
  return whole.length > 60 ? `${whole.slice(0, 59)}…` : whole;
}
