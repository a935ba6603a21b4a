import { setTimeout as wait } from 'node:timers/promises';
import { pace, readProgress } from '@strangler-kit/migrations/move/progress.ts';
import { NotStarted, readRecord } from '@strangler-kit/migrations/move/record.ts';
import { run } from '@strangler-kit/migrations/move/run.ts';
import type { Move } from '@strangler-kit/migrations/move/side.ts';
import type { RemoteOptions } from '../client.ts';
import { progressLine } from './move-progress.ts';
import { createReporter, type Told } from './move-report.ts';

/** Milliseconds between two lines of progress. */
const EVERY = 1000;

/** Drives a move until SIGINT or SIGTERM, or until it is over, and tells the router how it goes. With `--json` one object a line. */
export async function runMove(
  move: Move,
  options: RemoteOptions & { readonly quiet?: boolean },
): Promise<void> {
  const stop = new AbortController();
  const halt = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, halt);
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const reporter = createReporter(options, move, log);
  let before: Told | undefined;
  const show = async (): Promise<void> => {
    for (let last = performance.now(); !stop.signal.aborted;) {
      // A database that is away is told by the run itself.
      const now = await readProgress(move).catch(() => undefined);
      if (now) {
        const seconds = (performance.now() - last) / 1000;
        const speed = pace(before ?? now, now, before ? seconds : 0);
        before = { ...now, ...speed };
        if (!options.quiet)
          process.stdout.write(`${options.json ? JSON.stringify(before) : progressLine(now, speed)}\n`);
        reporter.tell(before);
        last = performance.now();
      }
      await wait(EVERY, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const shown = show();
  try {
    await run(move, { signal: stop.signal, log });
  } finally {
    stop.abort();
    await shown;
    if (before) await reporter.last(await end(move, before));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, halt);
  }
}

/** How it stands when the runner ends. Of a move that was cancelled or contracted there is nothing left to count. */
async function end(move: Move, before: Told): Promise<Told> {
  try {
    return { ...(await readProgress(move)), rowsPerSecond: 0, secondsLeft: null };
  } catch {
    const phase = await readRecord(move).then(
      (record) => record.phase,
      (error: unknown) => {
        if (!(error instanceof NotStarted)) return before.phase;
        return before.phase === 'complete' ? 'contracted' : 'cancelled';
      },
    );
    return { ...before, phase };
  }
}
