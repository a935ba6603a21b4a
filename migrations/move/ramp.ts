import { setTimeout as wait } from 'node:timers/promises';
import { BUCKETS } from './bucket.ts';
import { refuseChanged } from './changed.ts';
import { handOver, Refused, type HandoverOptions } from './handover.ts';
import { readHomes } from './homes.ts';
import { isRamping } from './phase.ts';
import { advance, readRecord, wantPercent } from './record.ts';
import type { Move } from './side.ts';
import { takeTurn } from './turn.ts';

export interface RampOptions extends HandoverOptions {
  /** Buckets handed over at a time. Default 2. */
  readonly movers?: number;
  /** Ends it early; what was handed over stays so. */
  readonly signal?: AbortSignal;
}

/** Buckets after which the wanted share is looked up again. */
const SOME = 16;
/** Milliseconds between two looks while another process hands over. */
const LOOK = 50;

export interface Brought {
  /** Buckets that were not where they are wanted before this. */
  readonly left: number;
  readonly atNew: number;
  /** Whether it was our turn. */
  readonly isOurs: boolean;
  /** Why some stayed where they are. */
  readonly failures: readonly string[];
}

/**
 * Hands buckets over that are not where a share wants them, for about a second, unless another process is doing so: more of them at once would only wait for each
 * other. After each handover a mover rests for as long as that took, so that on a busy machine there is room for the writers.
 */
export async function bringSome(move: Move, percent: number, options: RampOptions = {}): Promise<Brought> {
  const failures = new Set<string>();
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, ...(options.signal ? [options.signal] : [])]);
  const bring = async (): Promise<boolean> => {
    const { misplaced } = await readHomes(move, percent);
    // Not from what was wanted a while ago: `reverse` has to count at once.
    if (misplaced.length === 0 || failures.size > 0 || (await readRecord(move)).percent !== percent)
      over.abort();
    const some = misplaced.slice(0, SOME);
    const mover = async (): Promise<void> => {
      for (let next = some.shift(); next && !signal.aborted; next = some.shift()) {
        const began = performance.now();
        await handOver(move, next.b, next.toNew ? move.to : move.from, options).catch(
          (error: Error) => void failures.add(error.message),
        );
        await wait(performance.now() - began, undefined, { signal }).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: options.movers ?? 2 }, mover));
    return true;
  };
  const { misplaced } = await readHomes(move, percent);
  const isOurs =
    misplaced.length > 0 &&
    (await takeTurn(`${move.description.name} ramp`, move.from, 0, bring, { pause: 0, signal }));
  const now = await readHomes(move, percent);
  return { left: now.misplaced.length, atNew: now.atNew, isOurs, failures: [...failures] };
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
  const { phase, corrupt } = await readRecord(move);
  if (phase === 'complete')
    throw new Refused(
      `${name} is complete, nothing is sent back any more; the way back: strangler move contract ${name}, then strangler move start ${name} --swapped, run and ramp`,
    );
  // Before that nothing has left, so the way back is done.
  if (!isRamping(phase) && percent > 0)
    throw new Refused(
      `${name} is in the phase ${phase}; buckets change their home when all is copied and verified, which strangler move run ${name} does`,
    );
  if (corrupt && percent > 0)
    throw new Refused(`no bucket of ${name} changes its home while the sides differ: ${corrupt}`);
  // The way back stays open: what the old side has no column for is parked, and stops it.
  if (percent > 0) await refuseChanged(move);
  await wantPercent(move, percent);
  if (percent < 100) await advance(move, 'left');
  let fewest = Infinity;
  for (let since = Date.now(); !options.signal?.aborted;) {
    const { left, atNew, isOurs, failures } = await bringSome(move, percent, options);
    onStep?.(atNew);
    if (left === 0) break;
    if ((await readRecord(move)).percent !== percent)
      throw new Refused(`somebody wants another share of ${name} meanwhile`);
    if (left < fewest) {
      fewest = left;
      since = Date.now();
    }
    if (Date.now() - since > patience)
      throw new Refused(
        failures[0] ??
          `${left} of ${BUCKETS} buckets do not come to where they are wanted; strangler move run ${name} says why`,
      );
    // A runner does it, and we look on.
    if (!isOurs) await wait(LOOK, undefined, options).catch(() => undefined);
  }
  if (percent === 100 && !options.signal?.aborted) await advance(move, 'arrived');
}
