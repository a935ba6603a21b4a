import { setTimeout as wait } from 'node:timers/promises';
import type { Etcd } from './client.ts';

/** A lease that is renewed as long as this process lives and has contact. */
export interface Lease {
  /** The id; null while there is none. */
  id(): string | null;
  /** True while the lease can't have ended yet, as far as this process can tell: counted from before it was last renewed, less a margin. */
  holds(): boolean;
  /** Called after each renewal; what it does counts into the next pause. Rejections are the next renewal's to mend. */
  onRenewed(listener: (id: string) => Promise<void>): void;
  /** Ends the lease, and with it every key that hangs on it. Resolves when that is said, or could not be. */
  close(): Promise<void>;
}

/** How long a lease lives without its owner, in seconds. */
const SECONDS = 10;
/** Between two renewals, in milliseconds. */
const EVERY = 2000;
/** What clocks may differ by over the life of a lease, in milliseconds. */
const MARGIN = 2000;

export function openLease(etcd: Etcd): Lease {
  const ended = new AbortController();
  const listeners: ((id: string) => Promise<void>)[] = [];
  let id: string | null = null;
  /** By performance.now(). */
  let until = 0;

  async function renew(): Promise<void> {
    const asked = performance.now();
    const left = id === null ? 0 : await etcd.keepAlive(id);
    // Gone: whatever hung on it is gone too.
    if (left === 0) id = await etcd.grant(SECONDS);
    until = asked + (left || SECONDS) * 1000 - MARGIN;
    for (const listener of listeners) await listener(id!);
  }

  const running = (async () => {
    while (!ended.signal.aborted) {
      await renew().catch(() => undefined);
      await wait(EVERY, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  })();

  return {
    id: () => id,
    holds: () => id !== null && performance.now() < until,
    onRenewed: (listener) => void listeners.push(listener),
    async close() {
      if (ended.signal.aborted) return;
      ended.abort();
      until = 0;
      await running;
      if (id !== null) await etcd.revoke(id).catch(() => undefined);
    },
  };
}
