import { z } from 'zod';
import type { Etcd } from '../etcd/client.ts';
import type { EvidenceElsewhere } from './evidence.ts';

const times = z.record(z.string(), z.number());

/** Milliseconds that a time must be newer than the one in the key to be written: each write is kept by etcd until it is compacted. */
const NEWER = 10_000;

/** How long etcd may take, in milliseconds; the next time is five seconds away. */
const PATIENCE = 500;

/**
 * When the default upstream last answered each feature, the newest of all routers, in one key. A router learns what others know some five seconds
 * after they told it, and tells itself only what is ten seconds newer: retiring asks for days.
 */
export async function openEtcdEvidence(etcd: Etcd, key: string): Promise<EvidenceElsewhere> {
  let known: Readonly<Record<string, number>> = {};
  let isAsking = false;

  async function exchange(mine: Readonly<Record<string, number>>): Promise<void> {
    const { keys } = await etcd.range(key, {}, { deadline: PATIENCE });
    const [found] = keys;
    known = read(found?.value);
    const isNewer = Object.entries(mine).some(([feature, at]) => at > (known[feature] ?? 0) + NEWER);
    if (!isNewer) return;
    const all = { ...known };
    for (const [feature, at] of Object.entries(mine)) all[feature] = Math.max(at, all[feature] ?? 0);
    // Who was faster knew the other half: it comes with the next time.
    await etcd.txn([{ key, modified: found?.modified ?? 0 }], [{ put: key, value: JSON.stringify(all) }]);
  }

  await exchange({}).catch(() => undefined);
  return {
    known: () => known,
    tell(mine) {
      if (isAsking) return;
      isAsking = true;
      void exchange(mine)
        .catch(() => undefined)
        .finally(() => (isAsking = false));
    },
  };
}

function read(text: string | undefined): Readonly<Record<string, number>> {
  try {
    return times.parse(JSON.parse(text ?? '{}'));
  } catch {
    // Broken by hand: it is written anew.
    return {};
  }
}
