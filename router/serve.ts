import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join, resolve } from 'node:path';
import { pino, type Logger } from 'pino';
import { createAdmin } from './admin/api.ts';
import { createLive } from './admin/live.ts';
import { adminToken } from './admin/token.ts';
import { readCertificate, watchCertificate } from './certificate.ts';
import { stateFolder } from './config/state.ts';
import { changeFlag, type ChangeParts } from './flags/change.ts';
import { viewOf } from './flags/view.ts';
import { loadCurrent, type Current } from './flags/current.ts';
import type { Snapshot } from './flags/snapshot.ts';
import { createDataPath } from './forward/datapath.ts';
import { listen } from './forward/listener.ts';
import { openJournal } from './journal/journal.ts';
import { journalFileEdits, settleIntents, type Seen } from './journal/watch.ts';
import { createDiscovery } from './discovery.ts';
import { createRequestLog } from './metrics/log.ts';
import { createEvidence } from './metrics/evidence.ts';
import { createMetrics } from './metrics/metrics.ts';
import { registerRamp } from './metrics/ramp.ts';
import { createWindows } from './metrics/windows.ts';
import { createPipeline } from './pipeline.ts';
import { shadowTaps } from './shadow-tap.ts';
import { clearPictures } from './shadow/pictures.ts';
import { createShadow } from './shadow/shadow.ts';
import { createLeader } from './ramp/leader.ts';
import { createRamp } from './ramp/loop.ts';
import { rampStore } from './ramp/store.ts';

export interface ServeOptions {
  /** Path of strangler.yaml; other paths in it are relative to its folder. */
  readonly config: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Serving {
  readonly url: string;
  readonly adminUrl: string;
  /** Re-reads the files at once (SIGHUP). */
  reload(): void;
  /** Lets what is in flight finish, then closes everything. Resolves within `drain.delay` + `drain.deadline`. */
  drain(): Promise<void>;
}

/** Opens the ports and wires everything. Throws StartFaults when a file is wrong, and what `listen` says when a port is taken. */
export async function serve({ config: configPath, env }: ServeOptions): Promise<Serving> {
  const stateDir = stateFolder(configPath, env);
  mkdirSync(stateDir, { recursive: true });
  const log = pino({
    name: 'router',
    level: env['LOG_LEVEL'] ?? 'info',
    redact: ['req.headers.authorization', 'req.headers.cookie'],
  });
  const current = loadCurrent(resolve(configPath), stateDir, env);
  for (const fault of current.warnings) log.warn({ fault }, 'strangler.yaml');
  const journal = openJournal(join(stateDir, 'journal.jsonl'));
  const now = Date.now;
  const seen = (): Map<string, Seen> => seenFeatures(current.snapshot());
  settleIntents(journal, current.snapshot().flagsVersion, seen());
  journalFileEdits(journal, seen(), now());

  const { config } = current.snapshot();
  const windows = createWindows({ now });
  const picturesDir = join(stateDir, 'parity');
  clearPictures(picturesDir);
  const shadow = createShadow({
    folder: picturesDir,
    urls: (upstream) => dataPath.urls(upstream),
    onResult: windows.parity,
    log,
  });
  const metrics = createMetrics(current, shadow.metrics);
  const evidence = createEvidence(stateDir, journal, now);
  const requestLog = createRequestLog(log, () => current.snapshot().config.log.requests);
  const overrideKey = env['STRANGLER_OVERRIDE_KEY'] || null;
  const dataPath = createDataPath({
    plan: createPipeline({
      snapshot: current.snapshot,
      overrideKey,
      now,
      newId: randomUUID,
      tapFor: shadowTaps(shadow),
    }),
    observe(observation) {
      metrics.observe(observation);
      windows.observe(observation);
      evidence.observe(observation, current.snapshot().config.default);
      requestLog(observation);
    },
    trust: () => current.snapshot().config.trust.proxies,
    log,
  });
  const discovery = createDiscovery({ setUpstreams: dataPath.setUpstreams, log });
  discovery.use(config);
  current.onSwap((_before, after) => {
    discovery.use(after.config);
    journalFileEdits(journal, seen(), now());
    log.info(
      {
        version: after.version,
        features: Object.fromEntries(
          [...after.features.values()].map((feature) => [feature.name, viewOf(feature)]),
        ),
      },
      'serving a new snapshot',
    );
  });

  const changing: ChangeParts = {
    current,
    journal,
    retireRefusal: evidence.retireRefusal,
    askGates: (before, feature) => ramp.askBefore(before, feature),
    now,
  };
  const ramp = createRamp({
    snapshot: current.snapshot,
    journal,
    windows,
    change: (request) => changeFlag(changing, request),
    store: rampStore(stateDir, now()),
    leader: createLeader(join(stateDir, 'ramp.lock'), now),
    now,
    log,
  });
  registerRamp(metrics.registry, () => [...current.snapshot().features.values()], ramp);

  let isDraining = false;
  const admin = createServer(
    createAdmin({
      ...changing,
      token: adminToken(stateDir, env),
      overrideKey,
      metrics,
      shadow,
      windows,
      ramp,
      isDraining: () => isDraining,
      dataPath: { connections: dataPath.connections, instances: dataPath.instances },
      live: createLive({ current, journal, windows, ramp, instances: dataPath.instances, now }),
      log,
    }),
  );
  const traffic = await listen(
    config.listen,
    dataPath,
    config.tls ? { tls: readCertificate(config.tls, configPath) } : {},
  );
  const adminUrl = await listenAdmin(admin, config.admin.listen);
  const watchers = [
    watchFiles(current, log),
    discovery,
    ramp.start(),
    ...(config.tls ? [watchCertificate(config.tls, configPath, log, traffic.setTls)] : []),
  ];
  const flushing = setInterval(evidence.flush, 5000);
  log.info({ url: traffic.url, admin: adminUrl, version: current.snapshot().version }, 'the router serves');

  return {
    url: traffic.url,
    adminUrl,
    reload: current.refresh,
    async drain() {
      if (isDraining) return;
      isDraining = true;
      const { delay, deadline } = current.snapshot().config.drain;
      log.info({ delay, deadline }, 'draining');
      await new Promise((done) => setTimeout(done, delay));
      traffic.close();
      await dataPath.drain(deadline);
      await shadow.close();
      clearInterval(flushing);
      for (const watcher of watchers) watcher.close();
      evidence.flush();
      journal.close();
      admin.close();
      admin.closeAllConnections();
      log.info('drained');
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

/** Polls both files and says in the log when one is rejected, and when it is good again. */
function watchFiles(current: Current, log: Logger): { close(): void } {
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

async function listenAdmin(server: Server, { host, port }: { host: string; port: number }): Promise<string> {
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, done);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
}
