import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { openLease } from './etcd/lease.ts';
import type { Current } from './flags/current.ts';
import type { EtcdSource } from './flags/etcd-source.ts';
import { createEtcdEdits } from './journal/etcd-edits.ts';
import { openJournal, type Journal } from './journal/journal.ts';
import { journalFileEdits, seenFeatures, settleIntents } from './journal/watch.ts';
import { openEtcdEvidence } from './metrics/etcd-evidence.ts';
import { openEtcdPeers } from './metrics/etcd-peers.ts';
import type { EvidenceElsewhere } from './metrics/evidence.ts';
import { openPeers, type Peers } from './metrics/peers.ts';
import type { Windows } from './metrics/windows.ts';
import { createEtcdLeader } from './ramp/etcd-leader.ts';
import { openEtcdStore } from './ramp/etcd-store.ts';
import { createLeader, type Leader } from './ramp/leader.ts';
import { rampStore, type RampStore } from './ramp/store.ts';

/** What routers have in common besides the flags: in the state folder that they share, or in etcd. */
export interface Together {
  readonly journal: Journal;
  readonly peers: Peers;
  readonly leader: Leader;
  readonly store: RampStore;
  /** null: it lies in the state folder. */
  readonly evidence: EvidenceElsewhere | null;
  /** Journals what was edited by hand. */
  noteEdits(): Promise<void>;
  /** Resolves when the others know that this one has left, or could not be told. */
  close(): Promise<void>;
}

export interface TogetherOptions {
  readonly current: Current;
  readonly stateDir: string;
  readonly windows: Windows;
  readonly now: () => number;
  readonly log: Logger;
}

/** How long an end waits for etcd to hear of it, in milliseconds; without it the lease ends by itself. */
const LEAVING = 500;

/** Rejects when the journal is damaged. */
export async function openTogether(options: TogetherOptions): Promise<Together> {
  const { source } = options.current;
  return 'etcd' in source ? await inEtcd(options, source as EtcdSource) : inFolder(options);
}

function inFolder({ current, stateDir, windows, now, log }: TogetherOptions): Together {
  const journal = openJournal(join(stateDir, 'journal.jsonl'));
  const seen = () => seenFeatures(current.snapshot());
  settleIntents(journal, current.snapshot().flagsVersion, seen());
  journalFileEdits(journal, seen(), now());
  let isClosed = false;
  current.onSwap(() => {
    if (!isClosed) journalFileEdits(journal, seen(), now());
  });
  return {
    journal,
    peers: openPeers({ stateDir, windows, now, log }),
    leader: createLeader(join(stateDir, 'ramp.lock'), now),
    store: rampStore(stateDir, now()),
    evidence: null,
    noteEdits: async () => undefined,
    async close() {
      isClosed = true;
      journal.close();
    },
  };
}

async function inEtcd(
  { current, stateDir, windows, now, log }: TogetherOptions,
  source: EtcdSource,
): Promise<Together> {
  const { etcd, journal, me } = source;
  const prefix = `${source.prefix}ramp/`;
  const noteEdits = createEtcdEdits(source, current, now);
  const look = (): void => {
    if (source.stale() === null && !isClosed)
      noteEdits().catch((err: unknown) => log.warn({ err }, 'an edit by hand is not journalled yet'));
  };
  let isClosed = false;
  const watching = source.watch(look);
  current.onSwap(look);
  look();
  const lease = openLease(etcd);
  const [store, evidence] = await Promise.all([
    openEtcdStore(etcd, `${prefix}progress`, rampStore(stateDir, now()), now()),
    openEtcdEvidence(etcd, `${prefix}evidence`),
  ]);
  return {
    journal,
    peers: openEtcdPeers({ etcd, lease, prefix: `${prefix}windows/`, me, windows, now }),
    leader: createEtcdLeader(etcd, lease, `${prefix}leader`, me),
    store,
    evidence,
    noteEdits,
    async close() {
      isClosed = true;
      watching.close();
      await Promise.race([lease.close(), wait(LEAVING)]);
      source.close();
    },
  };
}
