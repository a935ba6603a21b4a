import type { Etcd } from '../etcd/client.ts';
import { progressOf, textOf, type RampStore } from './store.ts';

/** How long a start waits for it, in milliseconds. */
const START = 500;

/**
 * The progress of the ramps in a key that all routers read at their start, so that one that begins knows when the steps began and the baselines
 * that were kept. Who runs since before a step knows it by itself. `local` is the file of the state folder, for a start without etcd.
 */
export async function openEtcdStore(
  etcd: Etcd,
  key: string,
  local: RampStore,
  startedAt: number,
): Promise<RampStore> {
  const found = await etcd.range(key, {}, { deadline: START }).catch(() => null);
  const text = found?.keys[0]?.value ?? null;
  let newest: string | null = null;
  let isWriting = false;

  async function write(): Promise<void> {
    if (isWriting) return;
    isWriting = true;
    // What can't be written is of use for the start of a router only, and is written again with the next step.
    for (let text = newest; text !== null; text = newest) {
      newest = null;
      await etcd.put(key, text).catch(() => undefined);
    }
    isWriting = false;
  }

  return {
    read: () => (text === null ? local.read() : progressOf(text, startedAt)),
    write(progress) {
      local.write(progress);
      newest = textOf(progress);
      void write();
    },
  };
}
