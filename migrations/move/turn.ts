import { setTimeout as wait } from 'node:timers/promises';
import { lockClass } from './objects.ts';
import { transaction, type Side } from './side.ts';

/** Milliseconds until a process lets a share of the sync go, so that another may have it. */
const TURN = 1000;
/** A process that stands still for so long loses its share, and nothing else. */
const STOPPED = "SET LOCAL idle_in_transaction_session_timeout = '3s'";
const LOCK_TIMEOUT = 1000;

/**
 * Has one process at a time do `work` on a share of a move's rows: again and again for a while, with a pause of so many milliseconds after each time it answers that
 * there was nothing to do. Answers false at once when another process has the share. That is to spare work and no more: whoever works without having it, or after
 * having lost it, harms nothing. The lock belongs to a transaction of a connection of its own, and is gone when either is.
 */
export async function takeTurn(
  name: string,
  source: Pick<Side, 'pool'>,
  share: number,
  work: () => Promise<boolean>,
  { pause, signal }: { readonly pause: number; readonly signal: AbortSignal },
): Promise<boolean> {
  let isDone = false;
  const turn = transaction(
    source,
    LOCK_TIMEOUT,
    async (client) => {
      const { rows } = await client.query<{ ours: boolean }>(
        'SELECT pg_try_advisory_xact_lock($1, $2) AS ours',
        [lockClass(`${name} sync`), share],
      );
      if (!rows[0]!.ours) return false;
      for (const end = Date.now() + TURN; Date.now() < end && !signal.aborted;)
        if (!(await work())) await wait(pause, undefined, { signal }).catch(() => undefined);
      isDone = true;
      return true;
    },
    STOPPED,
  );
  return turn.catch((error: Error) => {
    if (!isDone) throw error;
    return true;
  });
}
