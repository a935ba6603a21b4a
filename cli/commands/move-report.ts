import { retryParked } from '@strangler-kit/migrations/move/parked.ts';
import type { pace, Progress } from '@strangler-kit/migrations/move/progress.ts';
import type { Move } from '@strangler-kit/migrations/move/side.ts';
import type { Commands } from '@strangler-kit/router/moves/moves.ts';
import { MAX_KEY, type MoveReport } from '@strangler-kit/router/moves/report.ts';
import { ask, NoRouter, type RemoteOptions } from '../client.ts';

/** Longest wait for an answer, in milliseconds. */
const TIMEOUT = 2000;
/** Until a router that was not there is looked for again, and one that refused is asked again, in milliseconds. */
const AWAY = 2000;
const REFUSED = 10_000;

export type Told = Progress & ReturnType<typeof pace>;

/** Tells the router how a move goes, and does what it has been asked for meanwhile. A router that is away is said once and never waited for. */
export interface Reporter {
  /** Returns at once; while one report is under way a further one is left out. */
  tell(told: Told): void;
  /** Tells the end, if the router has been there, and resolves when it was told. */
  last(told: Told): Promise<void>;
}

export function createReporter(options: RemoteOptions, move: Move, log: (line: string) => void): Reporter {
  let isBusy: Promise<void> | null = null;
  let notBefore = 0;
  let said = '';

  async function report(told: Told): Promise<void> {
    try {
      const { retry } = await ask<Commands>(options, `/api/moves/${told.name}`, {
        method: 'PUT',
        body: reportOf(told),
        timeout: TIMEOUT,
      });
      said = '';
      if (retry !== null)
        for (const key of retry === 'all' ? [undefined] : retry) await retryParked(move, key);
    } catch (error) {
      const { message } = error as Error;
      notBefore = performance.now() + (error instanceof NoRouter ? AWAY : REFUSED);
      if (message !== said) log(`nobody is told how it goes: ${(said = message)}`);
    }
  }

  return {
    tell(told) {
      if (isBusy !== null || performance.now() < notBefore) return;
      isBusy = report(told).finally(() => (isBusy = null));
    },
    async last(told) {
      await isBusy;
      if (said === '') await report(told);
    },
  };
}

/** What the router takes: bounded, and without the rows whose keys are too long to be asked for by name. */
function reportOf({ waiting, parked, corrupt, ...told }: Told): MoveReport {
  return {
    ...told,
    waiting: Object.fromEntries(
      Object.entries(waiting).map(([side, { lag, ...rest }]) => [side, { ...rest, lag: Math.max(0, lag) }]),
    ),
    parked: parked
      .filter(({ key }) => key.length <= MAX_KEY)
      .map(({ side, key, reason, since, retryAt }) => ({
        side,
        key,
        reason: reason.slice(0, 1000),
        since,
        retryAt,
      })),
    corrupt: corrupt?.slice(0, 4000) ?? null,
    verifiedAgo: told.verifiedAgo === null ? null : Math.max(0, told.verifiedAgo),
  };
}
