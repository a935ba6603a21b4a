import { BUCKETS } from './bucket.ts';
import { handOver, Refused, type HandoverOptions } from './handover.ts';
import { readHomes } from './homes.ts';
import { isRamping } from './phase.ts';
import { advance, readRecord, wantPercent } from './record.ts';
import type { Move } from './side.ts';

export interface RampOptions extends HandoverOptions {
  /** Buckets handed over at a time. Default 2. */
  readonly movers?: number;
  /** Ends it early; what was handed over stays so. */
  readonly signal?: AbortSignal;
}

/** Buckets after which the wanted share is looked up again. */
const SOME = 16;

export interface Brought {
  /** Buckets that were not where they are wanted before this. */
  readonly left: number;
  readonly atNew: number;
  /** Why some stayed where they are. */
  readonly failures: readonly string[];
}

/** Hands some of the buckets over that are not where a share wants them. */
export async function bringSome(move: Move, percent: number, options: RampOptions = {}): Promise<Brought> {
  const { misplaced, atNew } = await readHomes(move, percent);
  const some = misplaced.slice(0, SOME);
  const failures = new Set<string>();
  const work = async (): Promise<void> => {
    for (let next = some.shift(); next && !options.signal?.aborted; next = some.shift())
      await handOver(move, next.b, next.toNew ? move.to : move.from, options).catch(
        (error: Error) => void failures.add(error.message),
      );
  };
  await Promise.all(Array.from({ length: options.movers ?? 2 }, work));
  return { left: misplaced.length, atNew, failures: [...failures] };
}

/**
 * Wants a share of the buckets at the new side and brings it about; 0 is the way back. Others may do so at the same time. Rejects with `Refused` when
 * the phase has no handovers, when somebody wants another share meanwhile, or when buckets stay where they are for `patience` milliseconds (default 10,000).
 */
export async function rampTo(
  move: Move,
  percent: number,
  {
    patience = 10_000,
    onStep,
    ...options
  }: RampOptions & { patience?: number; onStep?: (atNew: number) => void } = {},
): Promise<void> {
  if (!Number.isInteger(percent) || percent < 0 || percent > 100)
    throw new Refused(`${percent} is no share; it is a whole number from 0 to 100`);
  const { name } = move.description;
  const { phase } = await readRecord(move);
  if (!isRamping(phase))
    throw new Refused(`${name} is in the phase ${phase}; buckets change their home in ramp and soak`);
  await wantPercent(move, percent);
  if (percent < 100) await advance(move, 'left');
  let fewest = Infinity;
  for (let since = Date.now(); !options.signal?.aborted;) {
    const { left, atNew, failures } = await bringSome(move, percent, options);
    onStep?.(atNew);
    if (left === 0) break;
    if ((await readRecord(move)).percent !== percent)
      throw new Refused(`somebody wants another share of ${name} meanwhile`);
    if (left < fewest) {
      fewest = left;
      since = Date.now();
    }
    if (Date.now() - since > patience)
      throw new Refused(failures[0] ?? `${left} of ${BUCKETS} buckets do not come to where they are wanted`);
  }
  if (percent === 100 && !options.signal?.aborted) await advance(move, 'arrived');
}
