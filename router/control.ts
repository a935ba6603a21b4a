import type { Logger } from 'pino';
import { openAdminPort } from './admin-port.ts';
import { createAdmin, type CarrierView } from './admin/api.ts';
import { createLive } from './admin/live.ts';
import { adminToken, appToken } from './admin/token.ts';
import { changeFlag, type ChangeParts } from './flags/change.ts';
import type { Current } from './flags/current.ts';
import type { Listeners } from './listeners.ts';
import { createEvidence, type DefaultAnswers } from './metrics/evidence.ts';
import type { Metrics } from './metrics/metrics.ts';
import { registerRamp } from './metrics/ramp.ts';
import { registerRegistry } from './metrics/registry.ts';
import { createMoves } from './moves/moves.ts';
import type { Windows } from './metrics/windows.ts';
import { createRamp } from './ramp/loop.ts';
import { createCounters } from './shadow/counters.ts';
import type { Shadow } from './shadow/shadow.ts';
import { openTogether, type Together } from './together.ts';

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
  /** Leaves all of it to the next router, at once. Resolves when the others know. */
  close(): Promise<void>;
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
  const now = Date.now;
  try {
    const together = await openTogether({ current, stateDir, windows, now, log });
    return decide(together);
  } catch (error) {
    port.close();
    throw error;
  }

  function decide(together: Together): Control {
    const { journal, peers, leader, store } = together;
    const evidence = createEvidence(stateDir, journal, options.answers, now, together.evidence);
    const changing: ChangeParts = {
      current,
      journal,
      retireRefusal: evidence.retireRefusal,
      askGates: (before, feature) => ramp.askBefore(before, feature),
      isMovedAway: ({ config }) => moves.areOver(current.snapshot().config.default, config.upstream),
      noteEdits: together.noteEdits,
      now,
    };
    const ramp = createRamp({
      snapshot: current.snapshot,
      journal,
      windows,
      silent: peers.silent,
      change: (request) => changeFlag(changing, request),
      store,
      leader,
      now,
      log,
    });
    const moves = createMoves({ journal, now });
    registerRamp(metrics.registry, () => [...current.snapshot().features.values()], ramp);
    registerRegistry(metrics.registry, dataPath.instances);
    metrics.show(createCounters(shadow.parity));
    let isClosed = false;
    port.serve(
      createAdmin({
        ...changing,
        token: adminToken(stateDir, env),
        appToken: appToken(stateDir, env),
        overrideKey: env['STRANGLER_OVERRIDE_KEY'] || null,
        metrics,
        defaultAnswered: (feature) => options.answers.add({ [feature]: now() }, 'applications'),
        random: Math.random,
        shadow,
        windows,
        ramp,
        isDraining,
        dataPath,
        live: createLive({ current, journal, windows, ramp, moves, instances: dataPath.instances, now }),
        moves,
        log,
      }),
    );
    peers.exchange();
    const exchanging = setInterval(peers.exchange, EXCHANGE);
    const ramping = ramp.start();
    const flushing = setInterval(evidence.flush, FLUSH);
    return {
      adminUrl: port.url,
      async close() {
        if (isClosed) return;
        isClosed = true;
        clearInterval(flushing);
        clearInterval(exchanging);
        ramping.close();
        peers.close();
        evidence.flush();
        port.close();
        await together.close();
      },
    };
  }
}
