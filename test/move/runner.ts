import { setTimeout as wait } from 'node:timers/promises';
import { apply } from '../../migrations/move/apply.ts';
import { commit, finalise } from '../../migrations/move/decide.ts';
import { drain, handOver, otherSide } from '../../migrations/move/handover.ts';
import { run } from '../../migrations/move/run.ts';
import { readPending } from '../../migrations/move/pending.ts';
import { openMove } from '../../migrations/move/side.ts';
import { clear } from '../../migrations/move/sync.ts';
import { THINGS } from '../support/move.ts';
import { moverWith, plantInto, type Plant } from './plants.ts';
import type { Aim } from './processes.ts';

/*
 * One process that drives a move and, besides, hands some buckets over, as its parent says. It ends when it is killed, or when its parent has gone.
 * Usage: node runner.ts FROM TO BUCKETS [PLANT]
 */
const [from, to, list, plant] = process.argv.slice(2) as [string, string, string, Plant?];
// A server may be down just now; the next runner comes soon.
const move = await openMove(THINGS, { from, to }).catch(() => process.exit(1));
if (plant) plantInto(move, plant);
const buckets = list.split(',').map(Number);
const stop = new AbortController();
process.on('disconnect', () => process.exit());
let aim: Aim = 'random';
process.on('message', (next) => (aim = next as Aim));
process.send?.('ready');

const options = { drainDeadline: 300, lockTimeout: 50, tries: 4, parkedFor: 100, verifiedFor: 86_400_000 };
const runs = run(move, { ...options, signal: stop.signal, log: (line) => process.send?.(line) });
runs.catch(() => process.exit(1));
void haunt();
void hauntBuckets();
const hand = plant ? moverWith(plant) : handOver;
for (;;) {
  const b = buckets[Math.floor(Math.random() * buckets.length)]!;
  const target = aim === 'random' ? (Math.random() < 0.5 ? 'from' : 'to') : aim;
  await hand(move, b, move[target], options).catch((error: Error) => process.send?.(error.message));
  await wait(Math.random() * 20);
  if (await Promise.race([runs.then(() => true), Promise.resolve(false)])) break;
}

/** A worker that was stopped between reading and writing, and comes back when all has changed. */
async function haunt(): Promise<void> {
  for (;;) {
    const source = Math.random() < 0.5 ? move.from : move.to;
    const target = otherSide(move, source);
    try {
      const stale = await readPending(THINGS, source, { first: 0, last: 1023 }, 100);
      const isHasty = plant === 'mark taken away before the row is sent';
      if (isHasty) await clear(THINGS, source, stale);
      await wait(stale.length > 0 ? Math.random() * 300 : 20);
      if (stale.length > 0) await clear(THINGS, source, (await apply(THINGS, target, stale)).settled);
    } catch {
      await wait(20);
    }
  }
}

/** A mover that was stopped before the commit or the finalise of a handover, and comes back likewise. */
async function hauntBuckets(): Promise<void> {
  for (;;) {
    const source = Math.random() < 0.5 ? move.from : move.to;
    const target = otherSide(move, source);
    try {
      const { rows } = await source.pool.query<{ b: number; epoch: string }>(
        'SELECT b, epoch FROM strangler.things_bucket WHERE moving ORDER BY random() LIMIT 1',
      );
      for (const { b, epoch } of rows) {
        const failure = await drain(move, b, source, target, epoch, options);
        await wait(Math.random() * 300);
        if (!failure) await commit(move, b, target, epoch);
        await wait(Math.random() * 300);
        await finalise(move, b, source, target, epoch);
      }
      if (rows.length === 0) await wait(20);
    } catch {
      await wait(20);
    }
  }
}
