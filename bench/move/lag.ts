import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { end, type Field } from './field.ts';
import { atRate, RATE } from './load.ts';

/**
 * Writes rows of the old side at a fixed rate and asks the new side, again and again, for those that are not seen there yet. Calls `seen` with the
 * milliseconds from the commit as its writer hears it until the answer that has the row: one clock, that of this process.
 */
async function watched(
  { rows, old, young }: Field,
  signal: AbortSignal,
  seen: (lag: number, committedAt: number) => void,
): Promise<void> {
  const missing = new Map<string, { alt: string; committedAt: number }>();
  let isOver = false;
  const watch = async (): Promise<void> => {
    while (!isOver || missing.size > 0) {
      const { rows: found } = await young.query<{ id: string; alt: string }>({
        name: 'watch',
        text: 'SELECT id, alt FROM pictures WHERE id = ANY ($1::bigint[])',
        values: [[...missing.keys()]],
      });
      const now = performance.now();
      for (const { id, alt } of found) {
        const one = missing.get(id);
        if (one?.alt !== alt) continue;
        missing.delete(id);
        seen(now - one.committedAt, one.committedAt);
      }
      await wait(1);
    }
  };
  const watching = watch();
  // A row is written again after so many others that the last write of it has arrived.
  await atRate(RATE, signal, async (n) => {
    const id = String(1 + ((n * 7) % rows));
    const alt = `written ${n} at ${Date.now()}`;
    await old.query({ name: 'write', text: 'UPDATE photos SET alt = $2 WHERE id = $1', values: [id, alt] });
    missing.set(id, { alt, committedAt: performance.now() });
  });
  isOver = true;
  await watching;
}

/** Milliseconds of each write. */
export async function lag(field: Field, seconds: number): Promise<number[]> {
  const lags: number[] = [];
  const from = performance.now() + 1000;
  await watched(field, AbortSignal.timeout((seconds + 1) * 1000), (ms, committedAt) => {
    // Before, connections and plans are made.
    if (committedAt > from) lags.push(ms);
  });
  return lags;
}

/** Kills the runner a few times and starts another at once. Milliseconds from each kill until a row that was written after it is at the new side. */
export async function resuming(
  field: Field,
  first: ChildProcess,
  times: number,
): Promise<{ runner: ChildProcess; resumed: number[] }> {
  const stop = new AbortController();
  const resumed: number[] = [];
  let killedAt = Infinity;
  const load = watched(field, stop.signal, (ms, committedAt) => {
    if (committedAt < killedAt) return;
    resumed.push(committedAt + ms - killedAt);
    killedAt = Infinity;
  });
  let runner = first;
  try {
    for (let kills = 1; kills <= times; kills += 1) {
      await wait(1000, undefined, { signal: stop.signal });
      const killed = end(runner);
      killedAt = performance.now();
      await killed;
      runner = field.runner();
      for (const late = Date.now() + 20_000; resumed.length < kills; await wait(10))
        if (Date.now() > late) throw new Error('no row arrives 20 s after the runner was started again');
    }
  } finally {
    stop.abort();
    await load;
  }
  return { runner, resumed };
}
