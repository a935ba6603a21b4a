import {
  planMove,
  NoDatabase,
  type Plan,
  type PlannedSide,
} from '@strangler-kit/migrations/move/plan/plan.ts';
import { loadDescription, NoDescription } from '@strangler-kit/migrations/move/load.ts';
import { subjectOf } from '@strangler-kit/migrations/move/plan/subject.ts';
import { placesOf } from '../databases.ts';
import { Failure, print, table } from '../output.ts';

/** Looks at both databases, changes nothing, and says whether the move can be started. Refused: exit 1, with every reason and its remedy. */
export async function movePlanCommand(
  name: string,
  options: {
    readonly from?: string;
    readonly to?: string;
    readonly moves: string;
    readonly sample: string;
    readonly json?: boolean;
  },
): Promise<void> {
  // Files are not looked at.
  const { from, to } = placesOf({ sides: { from: '', to: '' } }, options);
  if (!/^[1-9]\d{0,5}$/.test(options.sample))
    throw new Failure(2, [`--sample ${options.sample} is not a whole number from 1 to 999999`]);
  const plan = await planned(name, options.moves, from, to, Number(options.sample));
  print(options, plan, () => (plan.refused ? [] : linesOf(plan)));
  if (plan.refused) throw new Failure(1, options.json ? [] : refusalLines(plan));
}

/** The plan. Throws Failure with 2 when a database or the description is not there. */
export async function planned(
  name: string,
  folder: string,
  from: string,
  to: string,
  sample: number,
): Promise<Plan> {
  try {
    return await planMove({ subject: subjectOf(await loadDescription(name, folder)), from, to, sample });
  } catch (error) {
    if (error instanceof NoDescription || error instanceof NoDatabase) throw new Failure(2, [error.message]);
    throw error;
  }
}

function linesOf(plan: Plan): string[] {
  const { from, to } = plan.sides;
  return [
    `${plan.name} can be moved from ${from.table} of ${from.side} to ${to.table} of ${to.side}`,
    '',
    ...table(
      ['side', 'rows', 'bytes', 'owners', 'owners per bucket', 'rows per bucket', 'mapping tried'],
      [from, to].map(countCells),
    ),
    '',
    'start makes:',
    ...plan.creates.map(({ side, what }) => `  ${side}: ${what}`),
    ...notes(plan),
  ];
}

function countCells({ side, counts, tried }: PlannedSide): string[] {
  const spread = (of: 'ownersPerBucket' | 'rowsPerBucket'): string =>
    counts ? `${counts[of].smallest}, ${counts[of].median}, ${counts[of].largest}` : '-';
  return [
    side,
    String(counts?.rows ?? '-'),
    String(counts?.bytes ?? '-'),
    String(counts?.owners ?? '-'),
    spread('ownersPerBucket'),
    spread('rowsPerBucket'),
    `${tried} row(s)`,
  ];
}

/** Every reason and its remedy. */
export function refusalLines(plan: Plan): string[] {
  const refusals = plan.findings.filter(({ refuses }) => refuses);
  return [
    `${plan.name} can't be moved yet: ${refusals.length} reason(s)`,
    ...refusals.flatMap(({ side, rule, reason, remedy }) => [
      `${side}: ${reason} [${rule}]`,
      `  remedy: ${remedy}`,
    ]),
    ...notes(plan),
  ];
}

function notes({ findings }: Plan): string[] {
  const told = findings.filter(({ refuses }) => !refuses);
  if (told.length === 0) return [];
  return [
    '',
    'to know:',
    ...told.flatMap(({ side, reason, remedy }) => [`  ${side}: ${reason}`, `    ${remedy}`]),
  ];
}
