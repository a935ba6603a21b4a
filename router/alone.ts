import type { Logger } from 'pino';
import { setTimeout as wait } from 'node:timers/promises';
import { startControl, watchFiles, type Control } from './control.ts';
import type { Current } from './flags/current.ts';
import { createDefaultAnswers } from './metrics/evidence.ts';
import { createRequestLog } from './metrics/log.ts';
import { createMetrics } from './metrics/metrics.ts';
import { createOwnership, successorListens, whenAsked } from './ownership.ts';
import { serveTraffic } from './traffic-port.ts';
import type { Serving } from './serving.ts';
import { relieve, type Relief } from './workers/relief.ts';
import { portMustBeFree } from './workers/socket.ts';

export interface AloneOptions {
  readonly configPath: string;
  readonly stateDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly current: Current;
  /** Gives up waiting for another router to end. */
  readonly cancel?: AbortSignal | undefined;
}

/** `workers: 1`: one process carries the traffic and has the admin port. */
export async function serveAlone(options: AloneOptions): Promise<Serving> {
  const { configPath, stateDir, env, log, current } = options;
  const { config } = current.snapshot();
  const metrics = createMetrics(current);
  const answers = createDefaultAnswers(Date.now);
  const requestLog = createRequestLog(log, () => current.snapshot().config.log.requests);
  const ownership = createOwnership(stateDir);
  const other = ownership.owner();
  if (other !== null) ownership.announce('starting');
  else if (!ownership.hasListeners()) await portMustBeFree(config.listen);

  const traffic = await serveTraffic({
    configPath,
    snapshot: current.snapshot,
    env,
    log,
    observe(observation) {
      metrics.observe(observation);
      answers.observe(observation, current.snapshot().config.default);
      requestLog(observation);
    },
  });
  ownership.listens();
  current.onSwap((_before, after) => traffic.use(after.config));
  const files = watchFiles(current, log);
  let isDraining = false;
  let relief: Relief | null = null;
  let control: Control;

  async function stopTraffic(deadline: number): Promise<void> {
    await traffic.drain(deadline);
    files.close();
  }

  try {
    if (other !== null) {
      ownership.announce('listening');
      log.info({ url: traffic.url, router: other }, 'traffic is taken; waiting for the other router to end');
    }
    await ownership.take(config.drain.delay + config.drain.deadline, options.cancel);
    current.rereadKills();
    control = await startControl({
      current,
      stateDir,
      env,
      log,
      metrics,
      answers,
      isDraining: () => isDraining,
      dataPath: { connections: traffic.connections, instances: traffic.instances, workers: () => null },
    });
  } catch (error) {
    await stopTraffic(config.drain.deadline);
    ownership.release();
    throw error;
  }
  log.info(
    { url: traffic.url, admin: control.adminUrl, version: current.snapshot().version },
    'the router serves',
  );

  return {
    url: traffic.url,
    adminUrl: control.adminUrl,
    reload: () => (relief ? relief.reload() : current.refresh()),
    async replace() {
      if (isDraining) return;
      if (relief) return relief.replace();
      relief = await relieve({ configPath, env, log, fd: traffic.fd(), adminUrl: control.adminUrl }, () => {
        control.close();
        ownership.handOver();
      });
      if (!relief) return;
      await stopTraffic(current.snapshot().config.drain.deadline);
      ownership.release();
    },
    async drain() {
      if (relief) return relief.drain();
      if (isDraining) return;
      isDraining = true;
      const { delay, deadline } = current.snapshot().config.drain;
      log.info({ delay, deadline }, 'draining');
      const asked = whenAsked(ownership, () => {
        control.close();
        ownership.handOver();
      });
      await wait(delay);
      await successorListens(ownership, deadline / 2);
      await stopTraffic(deadline);
      asked.close();
      control.close();
      ownership.release();
      log.info('drained');
    },
  };
}
