import { backfillChunk } from '../../migrations/move/backfill.ts';
import { bucketOf } from '../../migrations/move/bucket.ts';
import { cancel, complete } from '../../migrations/move/finish.ts';
import { handOver } from '../../migrations/move/handover.ts';
import { openMove, type Move } from '../../migrations/move/side.ts';
import { start } from '../../migrations/move/start.ts';
import { syncOnce } from '../../migrations/move/sync.ts';
import { verify } from '../../migrations/move/verify.ts';
import { THINGS } from '../support/move.ts';

const ALL = { first: 0, last: 1023 };

/** What a process may be killed in the middle of. */
export const TASKS = {
  start,
  backfill: ({ description, from }) => backfillChunk(description, from, 1000),
  'send there': ({ description, from, to }) => syncOnce(description, from, to, ALL),
  'send back': ({ description, from, to }) => syncOnce(description, to, from, ALL),
  'hand over': (move) => handOver(move, bucketOf('7'), move.to),
  'hand back': (move) => handOver(move, bucketOf('7'), move.from),
  verify,
  complete,
  cancel,
} satisfies Record<string, (move: Move) => Promise<unknown>>;

export type Task = keyof typeof TASKS;

/*
 * A process that does one task and kills itself before its statement N, whichever of the two databases that is for: one after the other these are all the
 * points between two steps. It exits with 0 when the task has fewer. Usage: node stopping.ts TASK FROM TO N
 */
if (import.meta.main) {
  const [task, from, to, n] = process.argv.slice(2) as [Task, string, string, string];
  const move = await openMove(THINGS, { from, to });
  let statements = 0;
  for (const { pool } of [move.from, move.to]) {
    const wrapped = new WeakSet();
    // The connections that opening left are wrapped too, when they are next used.
    pool.on('acquire', (client) => {
      if (wrapped.has(client)) return;
      wrapped.add(client);
      const query = client.query.bind(client) as (...args: unknown[]) => unknown;
      client.query = ((...args: unknown[]) => {
        if (++statements === Number(n)) process.kill(process.pid, 'SIGKILL');
        return query(...args);
      }) as typeof client.query;
    });
  }
  await TASKS[task](move);
  process.exit();
}
