import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Broker } from '../support/rabbitmq.ts';
import type { Shop } from '../support/shop.ts';

/* What a storm of orders is troubled by: killed processes, a broker that is away, and somebody who can't leave the flag alone. */

/** Kills of each process, by the name of its entry. */
export type Kills = Record<string, number>;

/** A process that is killed: what its command line names, and where it says that it is back; null: nowhere. */
export interface Victim {
  readonly entry: string;
  readonly readyUrl: string | null;
}

/**
 * kill -9 for each of the processes every `seconds`, until the signal. One that comes back late, as on a machine that has too much to do, has half of that
 * to work in: otherwise none would ever work.
 */
export async function killAgainAndAgain(
  shop: Shop,
  victims: readonly Victim[],
  seconds: number,
  signal: AbortSignal,
): Promise<Kills> {
  const kills: Kills = Object.fromEntries(victims.map(({ entry }) => [entry, 0]));
  const pause = (length: number): Promise<unknown> =>
    wait(length * 1000, undefined, { signal }).catch(() => undefined);
  const kill = async ({ entry, readyUrl }: Victim, index: number): Promise<void> => {
    await pause((seconds * index) / victims.length);
    for (;;) {
      const due = Date.now() + seconds * 1000;
      while (readyUrl !== null && !signal.aborted && !(await isReady(readyUrl))) await pause(0.1);
      await pause(Math.max(seconds / 2, (due - Date.now()) / 1000));
      if (signal.aborted) return;
      for (const pid of shop.pidsOf(entry)) {
        try {
          process.kill(pid, 'SIGKILL');
          kills[entry]! += 1;
        } catch {
          // It ended just now.
        }
      }
    }
  };
  await Promise.all(victims.map(kill));
  return kills;
}

const isReady = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    async (response) => {
      await response.body?.cancel();
      return response.ok;
    },
    () => false,
  );

export interface BrokerTrouble {
  kills: number;
  /** The long outage (milliseconds since the epoch); `until` is when the broker took connections again. */
  outage: { from: number; until: number } | null;
}

/** First an outage of `outage` seconds, then kill -9 every `seconds` with a start at once, until the signal. Resolves with the broker up. */
export async function troubleBroker(
  broker: Broker,
  { outage, seconds }: { readonly outage: number; readonly seconds: number },
  signal: AbortSignal,
  trouble: BrokerTrouble,
): Promise<void> {
  const pause = async (length: number): Promise<void> =>
    wait(length * 1000, undefined, { signal }).catch(() => undefined);
  await pause(10);
  const from = Date.now();
  await broker.kill();
  trouble.kills += 1;
  // Not cut short: the whole minute is the point.
  await wait(outage * 1000);
  await broker.start();
  trouble.outage = { from, until: Date.now() };
  for (;;) {
    await pause(seconds);
    if (signal.aborted) return;
    await broker.kill();
    trouble.kills += 1;
    await broker.start();
  }
}

interface Feature {
  readonly stage: string;
  readonly state: string;
}

/** The feature `mail`, changed by the admin API. */
export function seamOf(shop: Shop): {
  read(): Promise<{ feature: Feature; etag: string }>;
  /** Resolves with the status; 409, 412 and 422 are answers like others. */
  change(action: string, body?: object): Promise<number>;
} {
  const token = readFileSync(join(shop.dataDir, 'admin-token'), 'utf8').trim();
  const at = `${shop.adminUrl}/api/features/mail`;
  const authorization = `Bearer ${token}`;
  async function read(): Promise<{ feature: Feature; etag: string }> {
    const response = await fetch(at, { headers: { authorization } });
    return { feature: (await response.json()) as Feature, etag: response.headers.get('etag')! };
  }
  return {
    read,
    async change(action, body = {}) {
      const { etag } = await read();
      const response = await fetch(`${at}/${action}`, {
        method: action === 'split' ? 'PUT' : 'POST',
        headers: { authorization, 'content-type': 'application/json', 'if-match': etag },
        body: JSON.stringify({ why: 'the storm', ...body }),
      });
      await response.body?.cancel();
      return response.status;
    },
  };
}

/** Changes stage and split about once a second, everything a person could do, until the signal. Answers how many changes were made. */
export async function changeAgainAndAgain(
  shop: Shop,
  random: () => number,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const seam = seamOf(shop);
  const done: Record<string, number> = {};
  while (!signal.aborted) {
    const { feature } = await seam.read();
    const dice = random();
    let [action, body]: [string, object] = ['promote', {}];
    if (feature.state === 'DISABLED') action = 'resume';
    else if (dice < 0.1) action = 'kill';
    else if (dice < 0.2) action = 'rollback';
    // Not to retired, which no flag leaves so easily.
    else if (feature.stage === 'live') action = 'rollback';
    else if (feature.stage === 'canary' && dice < 0.85)
      [action, body] = ['split', { percent: Math.round(random() * 20) * 5 }];
    const status = await seam.change(action, body);
    const name = status < 300 ? action : `${action} ${status}`;
    done[name] = (done[name] ?? 0) + 1;
    await wait(500 + random() * 1000, undefined, { signal }).catch(() => undefined);
  }
  return done;
}
