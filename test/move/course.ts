import { setTimeout as wait } from 'node:timers/promises';
import { advance, wantPercent } from '../../migrations/move/record.ts';
import type { Move } from '../../migrations/move/side.ts';
import type { Runners } from './processes.ts';

export interface Course {
  readonly what: string;
  /** Whether both sides said that all the buckets had the home that was wanted. Always so where none was. */
  readonly arrived: boolean;
}

/** What a storm goes through, and its share of the time. `percent`: what is wanted; undefined: handovers to anywhere. */
const LEGS = [
  { what: 'handovers to and fro', percent: undefined, share: 0.4 },
  { what: 'ramp to 50 %', percent: 50, share: 0.05 },
  { what: 'ramp to 100 %', percent: 100, share: 0.2 },
  { what: 'reverse', percent: 0, share: 0.15 },
  { what: 'ramp to 100 % again', percent: 100, share: 0.2 },
] as const;

/** How much longer a leg may take whose homes have not arrived: a share of the whole time. */
const PATIENCE = 0.5;

/** Wants one share after another while everything is written and killed. Ends at once when `isOver`. */
export async function takeCourse(
  move: Move,
  buckets: readonly number[],
  runners: Pick<Runners, 'aim'>,
  milliseconds: number,
  isOver: () => boolean,
): Promise<Course[]> {
  const legs: Course[] = [];
  for (const { what, percent, share } of LEGS) {
    const end = Date.now() + share * milliseconds;
    const aim = percent === 0 ? 'from' : percent === 100 ? 'to' : 'random';
    runners.aim(aim);
    let isWanted = percent === undefined;
    let arrived = aim === 'random';
    // A busy machine gets more time to arrive.
    while (!isOver() && (Date.now() < end || (!arrived && Date.now() < end + PATIENCE * milliseconds))) {
      isWanted ||= await want(move, percent!);
      arrived ||= await areAt(move, buckets, aim);
      await wait(50);
    }
    legs.push({ what, arrived });
  }
  return legs;
}

/** What `rampTo` says, without bringing it about: that is for the runners, who are killed all the time. False while a server is down. */
async function want(move: Move, percent: number): Promise<boolean> {
  try {
    await wantPercent(move, percent);
    if (percent < 100) await advance(move, 'left');
    return true;
  } catch {
    return false;
  }
}

async function areAt(
  { description: { name }, ...sides }: Move,
  buckets: readonly number[],
  aim: 'random' | 'to' | 'from',
): Promise<boolean> {
  if (aim === 'random') return true;
  const counts = await Promise.all(
    [sides.from, sides.to].map(({ pool }) =>
      pool
        .query<{ count: number }>(
          `SELECT count(*)::int AS count FROM strangler.${name}_bucket WHERE b = ANY ($1) AND home = $2 AND NOT moving`,
          [buckets, sides[aim].name],
        )
        .then(({ rows }) => rows[0]!.count)
        .catch(() => 0),
    ),
  );
  return counts.every((count) => count === new Set(buckets).size);
}
