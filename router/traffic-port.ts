import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { readCertificate, watchCertificate } from './certificate.ts';
import type { Config } from './config/schema.ts';
import { createDiscovery, type DiscoveredUpstream } from './discovery.ts';
import type { Snapshot } from './flags/snapshot.ts';
import { createDataPath } from './forward/datapath.ts';
import { listen } from './forward/listener.ts';
import { clearSpool } from './forward/spool.ts';
import type { Counters } from './metrics/counters.ts';
import { createDefaultAnswers, type DefaultAnswers } from './metrics/evidence.ts';
import { createRequestLog } from './metrics/log.ts';
import { createWindows, type Windows } from './metrics/windows.ts';
import { createMoving } from './moving.ts';
import { pinKey } from './pin-key.ts';
import { createPipeline } from './pipeline.ts';
import { shadowTaps } from './shadow-tap.ts';
import { picturesFolder } from './shadow/pictures.ts';
import { createShadow, type Shadow } from './shadow/shadow.ts';

export interface TrafficOptions {
  /** Path of strangler.yaml: a certificate is named relative to it. */
  readonly configPath: string;
  readonly stateDir: string;
  /** What serves now. */
  readonly snapshot: () => Snapshot;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Told of each request. */
  readonly counters: Counters;
  /** A bound socket this process was given; default: it opens the port that the config names. */
  readonly fd?: number;
}

/** The traffic port, everything behind it, and what is measured there. */
export interface Traffic {
  readonly url: string;
  readonly port: number;
  readonly windows: Windows;
  readonly answers: DefaultAnswers;
  readonly shadow: Shadow;
  /** Takes the upstreams of a new config. */
  use(config: Config): void;
  connections(): number;
  instances(): readonly DiscoveredUpstream[];
  /** Stops accepting, finishes what is in flight within `deadline` milliseconds, then closes everything. */
  drain(deadline: number): Promise<void>;
}

/** Opens the traffic port and carries requests as the snapshot says. It reads no flags and no config by itself. Rejects when the port can't be had. */
export async function serveTraffic(options: TrafficOptions): Promise<Traffic> {
  const { configPath, snapshot, env, log, fd, counters } = options;
  const { config } = snapshot();
  const now = Date.now;
  const windows = createWindows({ now });
  const answers = createDefaultAnswers(now);
  const requestLog = createRequestLog(log, () => snapshot().config.log.requests);
  const shadow = createShadow({
    folder: picturesFolder(options.stateDir),
    urls: (upstream) => dataPath.urls(upstream),
    onResult: windows.parity,
    log,
  });
  const spoolFolder = join(options.stateDir, 'spool');
  clearSpool(spoolFolder);
  const dataPath = createDataPath({
    spoolFolder,
    plan: createPipeline({
      snapshot,
      overrideKey: env['STRANGLER_OVERRIDE_KEY'] || null,
      now,
      newId: randomUUID,
      tapFor: shadowTaps(shadow),
      moving: createMoving({ writes: counters.writes, pinKey: pinKey(options.stateDir, env), now }),
    }),
    observe(observation) {
      counters.observe(observation);
      windows.observe(observation);
      answers.observe(observation, snapshot().config.default);
      requestLog(observation);
    },
    trust: () => snapshot().config.trust.proxies,
    log,
  });
  const { stateDir } = options;
  const discovery = createDiscovery({ stateDir, env, setUpstreams: dataPath.setUpstreams, log });
  discovery.use(config);
  const listening = await listen(config.listen, dataPath, {
    ...(config.tls ? { tls: readCertificate(config.tls, configPath) } : {}),
    ...(fd === undefined ? { reusePort: process.platform === 'linux' } : { fd }),
  }).catch(async (error: unknown) => {
    discovery.close();
    dataPath.close();
    await shadow.close();
    throw error;
  });
  const certificate = config.tls && watchCertificate(config.tls, configPath, log, listening.setTls);
  return {
    url: listening.url,
    port: listening.port,
    windows,
    answers,
    shadow,
    use: discovery.use,
    connections: dataPath.connections,
    instances: () => discovery.described(dataPath.instances()),
    async drain(deadline) {
      const end = performance.now() + deadline;
      await listening.close();
      await dataPath.drain(Math.max(0, end - performance.now()));
      await shadow.close();
      discovery.close();
      certificate?.close();
    },
  };
}
