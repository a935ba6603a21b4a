import { setTimeout as wait } from 'node:timers/promises';
import { pace, readProgress, type Progress } from '@strangler-kit/migrations/move/progress.ts';
import { run } from '@strangler-kit/migrations/move/run.ts';
import type { Move } from '@strangler-kit/migrations/move/side.ts';
import { progressLine } from './move-progress.ts';

/** Milliseconds between two lines of progress. */
const EVERY = 1000;

/** Drives a move until SIGINT or SIGTERM, or until it is over. With `--json` one object a line. */
export async function runMove(move: Move, options: { readonly json?: boolean }): Promise<void> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const show = async (): Promise<void> => {
    let before: Progress | undefined;
    for (let last = performance.now(); !stop.signal.aborted;) {
      // A database that is away is told by the run itself.
      const now = await readProgress(move).catch(() => undefined);
      if (now) {
        const seconds = (performance.now() - last) / 1000;
        const speed = pace(before ?? now, now, before ? seconds : 0);
        process.stdout.write(
          `${options.json ? JSON.stringify({ ...now, ...speed }) : progressLine(now, speed)}\n`,
        );
        before = now;
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
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, end);
  }
}
