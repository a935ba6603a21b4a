import type { MoveDescription } from '@strangler-kit/migrations/move/description.ts';
import { cancel, complete } from '@strangler-kit/migrations/move/finish.ts';
import { Refused } from '@strangler-kit/migrations/move/handover.ts';
import { loadDescription } from '@strangler-kit/migrations/move/load.ts';
import { readProgress, type Progress } from '@strangler-kit/migrations/move/progress.ts';
import { rampTo } from '@strangler-kit/migrations/move/ramp.ts';
import { openMove, type Move } from '@strangler-kit/migrations/move/side.ts';
import { acceptColumns, start } from '@strangler-kit/migrations/move/start.ts';
import { verify } from '@strangler-kit/migrations/move/verify.ts';
import { Failure, print } from '../output.ts';
import { progressLines } from './move-progress.ts';
import { runMove } from './move-run.ts';

export interface MoveOptions {
  /** The databases' URLs; without, DATABASE_URL and IMAGE_DATABASE_URL. */
  readonly from?: string;
  readonly to?: string;
  /** The folder of the descriptions. */
  readonly moves: string;
  /** Of `start`: goes on with columns that were changed. */
  readonly acceptColumns?: boolean;
  readonly json?: boolean;
}

export type MoveVerb = 'start' | 'run' | 'status' | 'verify' | 'ramp' | 'reverse' | 'complete' | 'cancel';

/** One verb of a move. Exit 1 when the databases' state says no, 2 when a database or the description is not there. */
export async function moveCommand(
  verb: MoveVerb,
  name: string,
  percent: string | undefined,
  options: MoveOptions,
): Promise<void> {
  const description = (await loadDescription(name, options.moves).catch((error: Error) => {
    throw new Failure(2, [error.message]);
  })) as MoveDescription;
  const { from = process.env['DATABASE_URL'], to = process.env['IMAGE_DATABASE_URL'] } = options;
  if (!from || !to)
    throw new Failure(2, ['name the databases with --from and --to, or DATABASE_URL and IMAGE_DATABASE_URL']);
  const move = await openMove(description, { from, to }).catch((error: Error) => {
    throw new Failure(2, [error.message]);
  });
  try {
    await act(verb, move, percent, options);
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
  if (verb === 'verify') {
    const found = await verify(move);
    print(options, found, () => [
      `${found.rows} keys compared, ${found.lagging} of them under way, ${found.corrupt.length} differ`,
      ...found.corrupt,
    ]);
    if (found.corrupt.length > 0)
      throw new Failure(1, [
        'the sides differ, and no bucket changes its home. Writing a row at its home (UPDATE … SET key = key) sends it anew; then, in both databases:',
        `UPDATE strangler.move SET corrupt = NULL WHERE name = '${move.description.name}'`,
      ]);
    return;
  }
  if (verb === 'cancel') {
    await cancel(move);
    print(options, { name: move.description.name, phase: 'cancelled' }, () => [
      `${move.description.name} is cancelled`,
    ]);
    return;
  }
  if (verb === 'start') await start(move);
  if (verb === 'start' && options.acceptColumns) await acceptColumns(move);
  if (verb === 'ramp') await rampTo(move, Number(percent));
  if (verb === 'reverse') await rampTo(move, 0);
  if (verb === 'complete') await complete(move);
  const progress: Progress = await readProgress(move);
  print(options, progress, () => progressLines(progress));
}
