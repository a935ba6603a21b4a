import { z } from 'zod';
import type { Etcd } from '../etcd/client.ts';
import type { Lease } from '../etcd/lease.ts';
import { watchPrefix } from '../etcd/watch.ts';
import { delta, FORGOTTEN, type Peers } from './peers.ts';
import type { Windows, WindowsDelta } from './windows.ts';

export interface EtcdPeersOptions {
  readonly etcd: Etcd;
  readonly lease: Lease;
  /** Of the keys, one a router. */
  readonly prefix: string;
  readonly me: string;
  readonly windows: Pick<Windows, 'take' | 'hear'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const said = z.object({
  /** Rises with each batch, so that one that is put twice is heard once. */
  number: z.number(),
  deltas: z.array(delta),
  /** The last words of a router that ends. */
  left: z.boolean(),
});

interface Said {
  readonly number: number;
  readonly deltas: readonly WindowsDelta[];
  readonly left: boolean;
}

/** Between two batches, in milliseconds: etcd keeps every one until it is compacted. */
const EVERY = 2000;
/** Seconds that are kept while nothing can be told; the oldest go first, which is the same on both sides of a comparison. */
const KEPT = 30;

/**
 * The routers of one etcd: each has a key under its lease, puts what it measured there every two seconds, while there are others and traffic, and
 * watches the keys of the others. A key that ends without last words is a router that died or has lost contact: it is named for a minute.
 */
export function openEtcdPeers({ etcd, lease, prefix, me, windows, now }: EtcdPeersOptions): Peers {
  const own = prefix + me;
  /** Number of the last batch that was heard, by router; and when one fell silent. */
  const heard = new Map<string, number>();
  const silent = new Map<string, number>();
  let hasContact = false;
  let pending: WindowsDelta[] = [];
  let sending: Said = { number: 0, deltas: [], left: false };
  /** The lease that our key hangs on. */
  let under: string | null = null;
  let isSending = false;
  let lastSent = -Infinity;

  const watch = watchPrefix({
    etcd,
    prefix,
    onRead(keys) {
      for (const router of heard.keys())
        if (!keys.some(({ key }) => key === prefix + router)) fellSilent(router);
      for (const { key, value } of keys) hear(key.slice(prefix.length), value);
    },
    onChanges(changes) {
      for (const { kind, key, value } of changes)
        if (kind === 'put') hear(key.slice(prefix.length), value);
        else fellSilent(key.slice(prefix.length));
    },
    onContact: (trouble) => void (hasContact = trouble === null),
  });

  function hear(router: string, text: string): void {
    if (router === me) return;
    const { data } = said.safeParse(jsonOf(text));
    if (!data) return;
    const last = heard.get(router);
    silent.delete(router);
    heard.set(router, Math.max(data.number, last ?? 0));
    if (last === undefined || data.number > last) for (const each of data.deltas) windows.hear(each);
    if (data.left) heard.delete(router);
  }

  function fellSilent(router: string): void {
    if (router !== me && heard.has(router) && !silent.has(router)) silent.set(router, now());
  }

  /** Puts what is to be told; again and again with the same number until it is told. */
  async function tell(id: string): Promise<void> {
    isSending = true;
    try {
      await etcd.put(own, JSON.stringify(sending), id);
      under = id;
      lastSent = performance.now();
      sending = { number: sending.number + 1, deltas: [], left: false };
    } catch {
      // The next second tries again.
    } finally {
      isSending = false;
    }
  }

  return {
    exchange() {
      const taken = windows.take();
      for (const [router, at] of silent)
        if (now() - at > FORGOTTEN) {
          silent.delete(router);
          heard.delete(router);
        }
      const hasListeners = heard.size > 0;
      if (hasListeners && (taken.sides.length > 0 || taken.parity.length > 0)) pending.push(taken);
      pending = pending.slice(-KEPT);
      const id = lease.id();
      if (isSending || id === null || !lease.holds()) return;
      const isNew = id !== under;
      const isDue =
        performance.now() - lastSent >= EVERY && (pending.length > 0 || sending.deltas.length > 0);
      if (!isNew && !isDue) return;
      if (sending.deltas.length === 0) sending = { ...sending, deltas: pending.splice(0) };
      void tell(id);
    },
    silent: () => (hasContact ? [...silent.keys()] : [...heard.keys()]),
    close() {
      watch.close();
      const id = lease.id();
      // The lease ends right after, so that nobody counts us as silent.
      if (id !== null)
        void etcd.put(own, JSON.stringify({ ...sending, left: true }), id).catch(() => undefined);
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
