import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { readCertificate, watchCertificate } from './certificate.ts';
import type { Config } from './config/schema.ts';
import { createDiscovery } from './discovery.ts';
import type { Snapshot } from './flags/snapshot.ts';
import { createDataPath } from './forward/datapath.ts';
import { listen } from './forward/listener.ts';
import type { Observation } from './forward/plan.ts';
import type { UpstreamStatus } from './forward/upstream.ts';
import { createPipeline } from './pipeline.ts';

export interface TrafficOptions {
  /** Path of strangler.yaml: a certificate is named relative to it. */
  readonly configPath: string;
  /** What serves now. */
  readonly snapshot: () => Snapshot;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Told once a request what became of it. */
  readonly observe: (observation: Observation) => void;
  /** A listening socket this process was given; undefined: it opens the port that the config names. */
  readonly fd?: number | undefined;
}

/** The traffic port and everything behind it. */
export interface Traffic {
  readonly url: string;
  /** Number of the listening socket. */
  fd(): number;
  /** Takes the upstreams of a new config. */
  use(config: Config): void;
  connections(): number;
  instances(): readonly UpstreamStatus[];
  /** Stops accepting, finishes what is in flight within `deadline` milliseconds, then closes everything. */
  drain(deadline: number): Promise<void>;
}

/** Opens the traffic port and carries requests as the snapshot says. It reads no flags and no config by itself. Rejects when the port can't be had. */
export async function serveTraffic(options: TrafficOptions): Promise<Traffic> {
  const { configPath, snapshot, env, log, fd } = options;
  const { config } = snapshot();
  const dataPath = createDataPath({
    plan: createPipeline({
      snapshot,
      overrideKey: env['STRANGLER_OVERRIDE_KEY'] || null,
      now: Date.now,
      newId: randomUUID,
    }),
    observe: options.observe,
    trust: () => snapshot().config.trust.proxies,
    log,
  });
  const discovery = createDiscovery({ setUpstreams: dataPath.setUpstreams, log });
  discovery.use(config);
  const listening = await listen(config.listen, dataPath, {
    ...(config.tls ? { tls: readCertificate(config.tls, configPath) } : {}),
    ...(fd === undefined ? { reusePort: process.platform === 'linux' } : { fd }),
  }).catch((error: unknown) => {
    discovery.close();
    dataPath.close();
    throw error;
  });
  const certificate = config.tls && watchCertificate(config.tls, configPath, log, listening.setTls);
  return {
    url: listening.url,
    fd: listening.fd,
    use: discovery.use,
    connections: dataPath.connections,
    instances: dataPath.instances,
    async drain(deadline) {
      await listening.close();
      await dataPath.drain(deadline);
      discovery.close();
      certificate?.close();
    },
  };
}
