import { join } from 'node:path';
import type { Logger } from 'pino';
import { openAdminPort } from './admin-port.ts';
import { createAdmin, type CarrierView } from './admin/api.ts';
import { createLive } from './admin/live.ts';
import { adminToken } from './admin/token.ts';
import { changeFlag, type ChangeParts } from './flags/change.ts';
import type { Current } from './flags/current.ts';
import type { Snapshot } from './flags/snapshot.ts';
import { viewOf } from './flags/view.ts';
import { openJournal } from './journal/journal.ts';
import { journalFileEdits, settleIntents, type Seen } from './journal/watch.ts';
import type { Listeners } from './listeners.ts';
import { createEvidence, type DefaultAnswers } from './metrics/evidence.ts';
import type { Metrics } from './metrics/metrics.ts';
import { registerRamp } from './metrics/ramp.ts';
import { openPeers } from './metrics/peers.ts';
import type { Windows } from './metrics/windows.ts';
import { createLeader } from './ramp/leader.ts';
import { createRamp } from './ramp/loop.ts';
import { rampStore } from './ramp/store.ts';
import { createCounters } from './shadow/counters.ts';
import type { Shadow } from './shadow/shadow.ts';

export interface ControlOptions {
  readonly current: Current;
  readonly stateDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** What requests were measured to be, here or in workers. */
  readonly metrics: Metrics;
  readonly windows: Windows;
  readonly answers: DefaultAnswers;
  readonly shadow: Pick<Shadow, 'parity' | 'pictures'>;
  readonly dataPath: CarrierView;
  readonly listeners: Pick<Listeners, 'others' | 'followed'>;
  readonly isDraining: () => boolean;
  /** Where the admin port is; default: where the config says. A restarted control takes the port its predecessor had. */
  readonly listen?: { readonly host: string; readonly port: number } | undefined;
  /** Gives up waiting for another router to leave the admin port. */
  readonly cancel?: AbortSignal | undefined;
}

/** Flags, journal, ramp and admin port. */
export interface Control {
  readonly adminUrl: string;
  /** Leaves all of it to the next router. */
  close(): void;
}

const WAITS =
  'this router carries traffic; the one before has the admin port and the journal until it is ended (SIGTERM)';

/** How often evidence is written, in milliseconds. */
const FLUSH = 5000;
/** How often routers tell each other what they measured, in milliseconds. */
const EXCHANGE = 1000;

/** Takes the admin port and decides from now on. Rejects with what the system says when the port is taken, and when the journal is damaged. */
export async function startControl(options: ControlOptions): Promise<Control> {
  const { current, stateDir, env, log, metrics, windows, shadow, dataPath, isDraining } = options;
  const { drain, admin } = current.snapshot().config;
  const port = await openAdminPort({
    ...(options.listen ?? admin.listen),
    mayWait: () => options.listeners.followed || options.listeners.others(),
    waits: () => log.info(WAITS),
    deadline: drain.delay + drain.deadline,
    cancel: options.cancel,
  });
  try {
    return decide();
  } catch (error) {
    port.close();
    throw error;
  }

  /** Everything in one turn: nothing is asked on the port before it can be answered. */
  function decide(): Control {
    const now = Date.now;
    const journal = openJournal(join(stateDir, 'journal.jsonl'));
    const seen = (): Map<string, Seen> => seenFeatures(current.snapshot());
    settleIntents(journal, current.snapshot().flagsVersion, seen());
    journalFileEdits(journal, seen(), now());
    const evidence = createEvidence(stateDir, journal, options.answers, now);
    const changing: ChangeParts = {
      current,
      journal,
      retireRefusal: evidence.retireRefusal,
      askGates: (before, feature) => ramp.askBefore(before, feature),
      now,
    };
    const peers = openPeers({ stateDir, windows, now, log });
    const ramp = createRamp({
      snapshot: current.snapshot,
      journal,
      windows,
      silent: peers.silent,
      change: (request) => changeFlag(changing, request),
      store: rampStore(stateDir, now()),
      leader: createLeader(join(stateDir, 'ramp.lock'), now),
      now,
      log,
    });
    registerRamp(metrics.registry, () => [...current.snapshot().features.values()], ramp);
    metrics.show(createCounters(shadow.parity));
    let isClosed = false;
    current.onSwap(() => {
      if (!isClosed) journalFileEdits(journal, seen(), now());
    });
    port.serve(
      createAdmin({
        ...changing,
        token: adminToken(stateDir, env),
        overrideKey: env['STRANGLER_OVERRIDE_KEY'] || null,
        metrics,
        shadow,
        windows,
        ramp,
        isDraining,
        dataPath,
        live: createLive({ current, journal, windows, ramp, instances: dataPath.instances, now }),
        log,
      }),
    );
    peers.exchange();
    const exchanging = setInterval(peers.exchange, EXCHANGE);
    const ramping = ramp.start();
    const flushing = setInterval(evidence.flush, FLUSH);
    return {
      adminUrl: port.url,
      close() {
        if (isClosed) return;
        isClosed = true;
        clearInterval(flushing);
        clearInterval(exchanging);
        ramping.close();
        peers.close();
        evidence.flush();
        journal.close();
        port.close();
      },
    };
  }
}

function seenFeatures(snapshot: Snapshot): Map<string, Seen> {
  return new Map(
    [...snapshot.features].map(([name, feature]) => [
      name,
      { view: viewOf(feature), fingerprint: feature.flag.fingerprint },
    ]),
  );
}
