import type { MismatchJson, ParityJson } from '@strangler-kit/router/admin/protocol.ts';
import { ask, type RemoteOptions } from '../client.ts';
import { Failure, print, table } from '../output.ts';

/** Differences shown of one mismatch. */
const MOST = 8;

/** Characters shown of a value, and those of them that stand before the first difference. */
const [WIDTH, BEFORE] = [60, 20];

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
      ...shown(sides.primary, sides.shadow),
    ]);
  if (differences.length > MOST) rows.push(['', '', '', `and ${differences.length - MOST} more`, '', '']);
  return rows;
}

type Side = MismatchJson['differences'][number]['primary'];

/** Both values, the long ones from shortly before their first difference on: what they have in common shows nothing. */
function shown(primary: Side, shadow: Side): [string, string] {
  const [left, right] = [text(primary), text(shadow)];
  let same = 0;
  while (same < left.length && left[same] === right[same]) same++;
  const from = left.length > WIDTH || right.length > WIDTH ? Math.max(0, same - BEFORE) : 0;
  return [cut(left, from), cut(right, from)];
}

function text(value: Side): string {
  if (value === undefined) return '(missing)';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function cut(whole: string, from: number): string {
  const rest = from > 0 ? `…${whole.slice(from + 1)}` : whole;
  return rest.length > WIDTH ? `${rest.slice(0, WIDTH - 1)}…` : rest;
}
