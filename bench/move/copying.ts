import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { start } from '../../migrations/move/start.ts';
import { readRecord } from '../../migrations/move/record.ts';
import { verify } from '../../migrations/move/verify.ts';
import type { Field } from './field.ts';

/** Rows a second from `start` until all have arrived; the runner that it started goes on. */
export async function backfill(field: Field): Promise<{ perSecond: number; runner: ChildProcess }> {
  const { move, rows, old, young } = field;
  const began = performance.now();
  await start(move);
  const runner = field.runner();
  for (;;) {
    const { isBackfilled } = await readRecord(move);
    const { rowCount } = await old.query('SELECT FROM strangler.photos_row_state WHERE dirty LIMIT 1');
    if (isBackfilled && rowCount === 0) break;
    if (runner.exitCode !== null) throw new Error('the runner ended');
    await wait(50);
  }
  const seconds = (performance.now() - began) / 1000;
  const { rows: counted } = await young.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM pictures',
  );
  if (counted[0]!.count !== rows) throw new Error(`${counted[0]!.count} of ${rows} rows arrived`);
  return { perSecond: rows / seconds, runner };
}

/** Resolves when the runner has verified what it copied. */
export async function untilRamp({ move }: Field): Promise<void> {
  for (const end = Date.now() + 120_000; (await readRecord(move)).phase !== 'ramp'; await wait(50))
    if (Date.now() > end) throw new Error('the move is not ready to ramp after 120 s');
}

/** Rows a second of one whole verification, while nobody writes. */
export async function verifying({ move }: Field): Promise<number> {
  const began = performance.now();
  const { rows, corrupt } = await verify(move);
  if (corrupt.length > 0) throw new Error(`the sides differ: ${corrupt[0]}`);
  return (rows / (performance.now() - began)) * 1000;
}
