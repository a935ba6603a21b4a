import type { MoveDescription } from '@strangler-kit/migrations/move/description.ts';
import { cancel, complete, contract } from '@strangler-kit/migrations/move/finish.ts';
import { Refused } from '@strangler-kit/migrations/move/handover.ts';
import { loadDescription } from '@strangler-kit/migrations/move/load.ts';
import { parkedKey, retryParked } from '@strangler-kit/migrations/move/parked.ts';
import { readProgress, type Progress } from '@strangler-kit/migrations/move/progress.ts';
import { rampTo } from '@strangler-kit/migrations/move/ramp.ts';
import { clearCorrupt, readRecord } from '@strangler-kit/migrations/move/record.ts';
import { openMove, type Move } from '@strangler-kit/migrations/move/side.ts';
import { acceptColumns, start } from '@strangler-kit/migrations/move/start.ts';
import { verify } from '@strangler-kit/migrations/move/verify.ts';
import type { RemoteOptions } from '../client.ts';
import { placesOf, type PlaceOptions } from '../databases.ts';
import { Failure, print } from '../output.ts';
import { progressLines } from './move-progress.ts';
import { planned, refusalLines } from './move-plan.ts';
import { noteMove, refuseReadsLeftBehind, warnOfWrites } from './move-router.ts';
import { runMove } from './move-run.ts';

export interface MoveOptions extends PlaceOptions, RemoteOptions {
  /** The folder of the descriptions. */
  readonly moves: string;
  /** Of `start`: goes on with columns that were changed. */
  readonly acceptColumns?: boolean;
  /** Of `start`: from the new side to the old one, after the move was completed and contracted. */
  readonly swapped?: boolean;
  /** Of `run`: without progress. */
  readonly quiet?: boolean;
  /** Of `retry`: the key of one row. */
  readonly key?: string;
  /** For the journal. */
  readonly why?: string;
}

export type MoveVerb =
  | 'start'
  | 'run'
  | 'status'
  | 'verify'
  | 'ramp'
  | 'reverse'
  | 'retry'
  | 'clear'
  | 'complete'
  | 'cancel'
  | 'contract';

/** What a person does to a move; the router's journal has it, if there is a router. */
const JOURNALLED: readonly MoveVerb[] = [
  'ramp',
  'reverse',
  'retry',
  'clear',
  'complete',
  'cancel',
  'contract',
];

/** One verb of a move. Exit 1 when the databases' state says no, 2 when a database or the description is not there. */
export async function moveCommand(
  verb: MoveVerb,
  name: string,
  percent: string | undefined,
  options: MoveOptions,
): Promise<void> {
  // Also an empty word, which a variable that is not set leaves, and which as a number would be the way back.
  if (verb === 'ramp' && (!/^\d{1,3}$/.test(percent!) || Number(percent) > 100))
    throw new Failure(2, [`"${percent}" is not a whole number from 0 to 100`]);
  const description = (await loadDescription(name, options.moves).catch((error: Error) => {
    throw new Failure(2, [error.message]);
  })) as MoveDescription;
  const move = await openMove(description, {
    ...placesOf(description, options),
    ...(verb === 'start' && { swapped: options.swapped === true }),
  }).catch((error: Error) => {
    throw new Failure(2, [error.message]);
  });
  try {
    await act(verb, move, percent, options);
    const { why = `strangler move ${[verb, name, percent].filter(Boolean).join(' ')}` } = options;
    if (JOURNALLED.includes(verb)) await noteMove(options, move, verb, why);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(error instanceof Refused ? 1 : 2, [(error as Error).message]);
  } finally {
    await move.close();
  }
}

async function act(
  verb: MoveVerb,
  move: Move,
  percent: string | undefined,
  options: MoveOptions,
): Promise<void> {
  if (verb === 'run') return runMove(move, options);
  // Says that it has not started, where the tables would only be missing.
  if (verb === 'verify' || verb === 'retry' || verb === 'clear') await readRecord(move);
  if (verb === 'verify') {
    const found = await verify(move);
    const { corrupt } = await readRecord(move);
    print(options, found, () => [
      `${found.rows} keys compared, ${found.lagging} of them under way, ${found.corrupt.length} differ${found.blobs > 0 ? `; ${found.blobs} files read at both sides` : ''}`,
      ...found.corrupt,
      ...(found.corrupt.length === 0 && corrupt !== null
        ? [
            `no bucket changes its home until somebody takes away what was found before, with strangler move clear: ${corrupt}`,
          ]
        : []),
    ]);
    if (found.corrupt.length > 0)
      throw new Failure(1, [
        'the sides differ, and no bucket changes its home. Writing a row at its home (UPDATE … SET key = key) sends it anew; then:',
        `strangler move clear ${move.description.name} --why TEXT`,
      ]);
    return;
  }
  if (verb === 'cancel' || verb === 'contract') {
    await (verb === 'cancel' ? cancel : contract)(move);
    const phase = verb === 'cancel' ? 'cancelled' : 'contracted';
    print(options, { name: move.description.name, phase }, () => [`${move.description.name} is ${phase}`]);
    return;
  }
  if (verb === 'retry') return retry(move, options);
  if (verb === 'clear') {
    const cleared = await clearCorrupt(move);
    print(options, { name: move.description.name, cleared }, () => [
      cleared === null ? 'no difference was recorded' : `taken away: ${cleared}`,
      'buckets change their home again when a verification has come out clean; a runner verifies at once',
    ]);
    return;
  }
  if (verb === 'start') {
    const { from, to, description } = move;
    // The way back of a move was planned with it.
    const plan = options.swapped
      ? undefined
      : await planned(description.name, options.moves, from.url, to.url, 1000);
    if (plan?.refused) throw new Failure(1, refusalLines(plan));
    await start(move);
  }
  if (verb === 'start' && options.acceptColumns) await acceptColumns(move);
  if (verb === 'ramp') await warnOfWrites(options, move);
  if (verb === 'ramp') await rampTo(move, Number(percent));
  if (verb === 'reverse') await rampTo(move, 0);
  if (verb === 'complete') await refuseReadsLeftBehind(options, move);
  if (verb === 'complete') await complete(move);
  const progress: Progress = await readProgress(move);
  print(options, progress, () => progressLines(progress));
}

async function retry(move: Move, options: MoveOptions): Promise<void> {
  const { name } = move.description;
  const retried = await retryParked(move, options.key === undefined ? undefined : parkedKey(options.key));
  if (options.key !== undefined && retried === 0)
    throw new Failure(1, [
      `no row with the key ${options.key} is parked; strangler move status ${name} lists them`,
    ]);
  print(options, { name, retried }, () => [
    `${retried} parked rows are tried again at once by whoever runs the move (strangler move run ${name})`,
  ]);
}
