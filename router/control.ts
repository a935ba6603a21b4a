import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createAdmin } from './admin/api.ts';
import type { WorkerJson } from './admin/protocol.ts';
import { adminToken } from './admin/token.ts';
import type { Current } from './flags/current.ts';
import type { Snapshot } from './flags/snapshot.ts';
import { viewOf } from './flags/view.ts';
import { openJournal } from './journal/journal.ts';
import { journalFileEdits, settleIntents, type Seen } from './journal/watch.ts';
import { createEvidence, type DefaultAnswers } from './metrics/evidence.ts';
import type { Metrics } from './metrics/metrics.ts';

export interface ControlOptions {
  readonly current: Current;
  readonly stateDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly answers: DefaultAnswers;
  readonly isDraining: () => boolean;
  /** Where the admin port is; default: where the config says. A restarted control takes the port its predecessor had. */
  readonly listen?: { readonly host: string; readonly port: number } | undefined;
  /** What carries requests, here or in workers. */
  readonly dataPath: {
    connections(): number;
    instances(): unknown;
    /** null: this process carries them itself. */
    workers(): readonly WorkerJson[] | null;
  };
}

/** The admin port, the journal and the evidence: what one router at a time has. */
export interface Control {
  readonly adminUrl: string;
  /** Leaves port and journal to the next router. */
  close(): void;
}

/** How often evidence is written, in milliseconds. */
const FLUSH = 5000;

/** Opens journal and admin port. Rejects with what the system says when the port is taken, or when the journal is damaged. */
export async function startControl(options: ControlOptions): Promise<Control> {
  const { current, stateDir, env, log } = options;
  const now = Date.now;
  const journal = openJournal(join(stateDir, 'journal.jsonl'));
  const seen = (): Map<string, Seen> => seenFeatures(current.snapshot());
  settleIntents(journal, current.snapshot().flagsVersion, seen());
  journalFileEdits(journal, seen(), now());
  const evidence = createEvidence(stateDir, journal, options.answers, now);
  let isClosed = false;
  const admin = createServer(
    createAdmin({
      current,
      journal,
      retireRefusal: evidence.retireRefusal,
      now,
      token: adminToken(stateDir, env),
      overrideKey: env['STRANGLER_OVERRIDE_KEY'] || null,
      metrics: options.metrics,
      isDraining: options.isDraining,
      dataPath: options.dataPath,
      log,
    }),
  );
  const where = options.listen ?? current.snapshot().config.admin.listen;
  const adminUrl = await listenAdmin(admin, where).catch((error: unknown) => {
    journal.close();
    throw error;
  });
  current.onSwap(() => {
    if (!isClosed) journalFileEdits(journal, seen(), now());
  });
  const flushing = setInterval(evidence.flush, FLUSH);
  return {
    adminUrl,
    close() {
      if (isClosed) return;
      isClosed = true;
      clearInterval(flushing);
      evidence.flush();
      journal.close();
      admin.close();
      admin.closeAllConnections();
    },
  };
}

/** Polls both files and says in the log when one is rejected, when it is good again, and what serves since. */
export function watchFiles(current: Current, log: Logger): { close(): void } {
  current.onSwap((_before, { version, features }) =>
    log.info(
      {
        version,
        features: Object.fromEntries(
          [...features.values()].map((feature) => [feature.name, viewOf(feature)]),
        ),
      },
      'serving a new snapshot',
    ),
  );
  let last = '';
  const report = (): void => {
    const { config, flags } = current.status();
    const now = JSON.stringify([config.faults, flags.faults]);
    if (now === last) return;
    last = now;
    for (const file of [config, flags])
      if (file.state === 'rejected')
        log.warn({ file: file.file, faults: file.faults }, 'rejected; what was in force goes on');
  };
  const watcher = current.watch();
  const timer = setInterval(report, 500);
  return {
    close() {
      watcher.close();
      clearInterval(timer);
    },
  };
}

function seenFeatures(snapshot: Snapshot): Map<string, Seen> {
  return new Map(
    [...snapshot.features].map(([name, feature]) => [
      name,
      { view: viewOf(feature), fingerprint: feature.flag.fingerprint },
    ]),
  );
}

async function listenAdmin(server: Server, { host, port }: { host: string; port: number }): Promise<string> {
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, done);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
}
