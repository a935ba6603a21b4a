import { setTimeout as wait } from 'node:timers/promises';
import { backfillChunk, clearUp } from './backfill.ts';
import { BUCKETS } from './bucket.ts';
import { Changed, refuseChanged } from './changed.ts';
import { collectOne } from './garbage.ts';
import { Refused } from './handover.ts';
import { leaseIds } from './ids.ts';
import { isRamping, isSyncing } from './phase.ts';
import { countBacklog } from './progress.ts';
import { bringSome, type RampOptions } from './ramp.ts';
import { advance, NotStarted, readRecord, type MoveRecord } from './record.ts';
import type { Move } from './side.ts';
import { syncOnce } from './sync.ts';
import { takeTurn } from './turn.ts';
import { verify } from './verify.ts';

export interface RunOptions extends RampOptions {
  readonly signal: AbortSignal;
  /** Gets what went wrong and is tried again. Default: nobody. */
  readonly log?: (line: string) => void;
  /** Workers for each direction; each has its share of the buckets, and two connections at its source. Default 2. */
  readonly workers?: number;
  /** Milliseconds between two looks for rows when there were few. Default 10. */
  readonly pause?: number;
  /** Rows the backfill marks at once. Default 2,000. */
  readonly chunk?: number;
  /** Rows waiting to be sent above which the backfill waits. Default 10,000. */
  readonly backlog?: number;
  /** Milliseconds between two verifications. Default 10 minutes; the precondition of a handover is an hour. */
  readonly verifyEvery?: number;
  /** Milliseconds a file stays after the sync took its row away. Default 10 minutes. */
  readonly grace?: number;
}

/** Milliseconds until something that failed is tried again. */
const AFTER_FAILURE = 200;

/**
 * Drives a move: sends rows both ways, backfills, verifies, brings buckets where they are wanted, and advances the phase. It knows nothing but what the two
 * databases say, so it may be killed at any point, and run by any number of processes at once. Resolves when the signal is given or the move is over; rejects
 * when it has not started, or when a table's columns changed.
 */
export async function run(move: Move, options: RunOptions): Promise<void> {
  const { log = () => {}, workers = 2, pause = 10 } = options;
  // Who holds one connection and waits for a second needs somebody who gives one back.
  if (move.from.pool.options.max < 2 * workers + 2)
    throw new Error(`${workers} workers need ${2 * workers + 2} connections to each database`);
  let record = await look(move);
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);

  /** Does `work` until the end, a pause after each time it answers that there was nothing to do. */
  const loop = async (what: string, idle: number, work: () => Promise<boolean>): Promise<void> => {
    let last = '';
    while (!signal.aborted) {
      const ms = await work().then(
        (isBusy) => (isBusy ? 0 : idle),
        (error: Error) => {
          if (error instanceof Changed) throw error;
          // Cancelled, and all of it gone before anybody looked.
          if (error instanceof NotStarted) stop.abort();
          if (error.message !== last && !signal.aborted) log(`${what}: ${(last = error.message)}`);
          return AFTER_FAILURE;
        },
      );
      if (ms > 0) await wait(ms, undefined, { signal }).catch(() => undefined);
    }
  };

  let stays = '';
  /** A reason once, and not again for each bucket and each try. */
  const tellWhy = (reason: string | undefined): void => {
    const why = reason?.replace(/^bucket \d+ /, '') ?? '';
    if (reason !== undefined && why !== stays) log(`ramp: ${reason}`);
    stays = why;
  };

  const { description, from, to } = move;
  const loops = [
    loop('status', 250, async () => {
      record = await look(move);
      if (!isSyncing(record.phase)) stop.abort();
      return false;
    }),
    loop('backfill', 100, () => backfill(move, record, options)),
    loop('verify', 100, () => verifyWhenDue(move, record, options)),
    loop('ids', 100, async () => {
      await leaseIds(move);
      return false;
    }),
    loop('garbage', 1000, async () => {
      const { grace = 600_000 } = options;
      const more = [from, to].map((side) => collectOne(description, side, grace));
      return (await Promise.all(more)).some(Boolean);
    }),
    loop('ramp', 100, () => ramp(move, record, options, tellWhy)),
    ...Array.from({ length: workers }, (_, index) => {
      const scope = {
        first: Math.ceil((index * BUCKETS) / workers),
        last: Math.ceil(((index + 1) * BUCKETS) / workers) - 1,
      };
      return [
        [from, to],
        [to, from],
      ].map(([source, target]) => {
        // What comes in while a few rows are sent waits for the pause: one by one they would cost the databases ten times as much.
        const send = async (): Promise<boolean> =>
          (await syncOnce(description, source!, target!, scope, options)).isFull;
        return loop(`${source!.name} to ${target!.name}`, 100, () =>
          takeTurn(description.name, source!, scope.first, send, { pause, signal }),
        );
      });
    }).flat(),
  ];
  try {
    await Promise.all(loops);
  } finally {
    stop.abort();
    await Promise.allSettled(loops);
  }
}

async function look(move: Move): Promise<MoveRecord> {
  const record = await readRecord(move);
  await refuseChanged(move);
  return record;
}

async function backfill(
  move: Move,
  record: MoveRecord,
  { chunk = 2000, backlog = 10_000 }: RunOptions,
): Promise<boolean> {
  if (record.phase !== 'backfill') return false;
  if (record.isBackfilled) {
    // What is verified first is what has arrived.
    if ((await countBacklog(move.description, move.from, 1)) > 0) return false;
    await Promise.all([move.from, move.to].map((side) => clearUp(move.description, side)));
    await advance(move, 'backfilled');
    return false;
  }
  if ((await countBacklog(move.description, move.from, backlog)) >= backlog) return false;
  return (await backfillChunk(move.description, move.from, chunk)).rows > 0;
}

async function verifyWhenDue(
  move: Move,
  { phase, verifiedAgo, corrupt }: MoveRecord,
  { verifyEvery = 600_000 }: RunOptions,
): Promise<boolean> {
  if (phase === 'backfill' || corrupt || !isSyncing(phase)) return false;
  if (verifiedAgo === null || verifiedAgo > verifyEvery) {
    const { corrupt } = await verify(move);
    if (corrupt.length > 0) throw new Refused(`the sides differ: ${corrupt[0]}`);
  }
  if (phase === 'verify') await advance(move, 'verified');
  return false;
}

async function ramp(
  move: Move,
  { phase }: MoveRecord,
  options: RunOptions,
  tellWhy: (reason: string | undefined) => void,
): Promise<boolean> {
  if (!isRamping(phase)) return false;
  // Not from what was looked up a while ago: `reverse` has to count at once.
  const { percent } = await readRecord(move);
  const { left, atNew, isOurs, failures } = await bringSome(move, percent, options);
  if (percent < 100) await advance(move, 'left');
  else if (atNew === BUCKETS) await advance(move, 'arrived');
  // While another process hands over, it is that one that knows.
  if (isOurs || left === 0) tellWhy(failures[0]);
  return isOurs && left > 0 && failures.length === 0;
}
