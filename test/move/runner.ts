import { setTimeout as wait } from 'node:timers/promises';
import { apply } from '../../migrations/move/apply.ts';
import { handOver, otherSide } from '../../migrations/move/handover.ts';
import { run } from '../../migrations/move/run.ts';
import { readPending } from '../../migrations/move/pending.ts';
import { openMove } from '../../migrations/move/side.ts';
import { clear } from '../../migrations/move/sync.ts';
import { THINGS } from '../support/move.ts';
import { moverWith, plantInto, type Plant } from './plants.ts';

/*
 * One process that drives a move and, besides, hands random buckets over. It ends when it is killed, or when its parent has gone.
 * Usage: node runner.ts FROM TO BUCKETS [PLANT]
 */
const [from, to, list, plant] = process.argv.slice(2) as [string, string, string, Plant?];
// A server may be down just now; the next runner comes soon.
const move = await openMove(THINGS, { from, to }).catch(() => process.exit(1));
if (plant) plantInto(move, plant);
const buckets = list.split(',').map(Number);
const stop = new AbortController();
process.on('disconnect', () => process.exit());
process.send?.('ready');

const options = { drainDeadline: 300, lockTimeout: 50, tries: 4, parkedFor: 100, verifiedFor: 86_400_000 };
const runs = run(move, { ...options, signal: stop.signal, log: (line) => process.send?.(line) });
runs.catch(() => process.exit(1));
void haunt();
const hand = plant ? moverWith(plant) : handOver;
for (;;) {
  const b = buckets[Math.floor(Math.random() * buckets.length)]!;
  await hand(move, b, Math.random() < 0.5 ? move.from : move.to, options).catch((error: Error) =>
    process.send?.(error.message),
  );
  if (await Promise.race([runs.then(() => true), Promise.resolve(false)])) break;
}

/** A worker that was stopped between reading and writing, and comes back when all has changed. */
async function haunt(): Promise<void> {
  for (;;) {
    const source = Math.random() < 0.5 ? move.from : move.to;
    const target = otherSide(move, source);
    try {
      const stale = await readPending(THINGS, source, { first: 0, last: 1023 }, 100);
      await wait(stale.length > 0 ? Math.random() * 300 : 5);
      if (stale.length > 0) await clear(THINGS, source, (await apply(THINGS, target, stale)).settled);
    } catch {
      await wait(20);
    }
  }
}
