import { setTimeout as wait } from 'node:timers/promises';
import { startControl, type Control } from './control.ts';
import { freePort } from './free-port.ts';
import { createListeners, whenOthers } from './listeners.ts';
import { createMetrics } from './metrics/metrics.ts';
import type { Serving, ServingOptions } from './serving.ts';
import { clearPictures, picturesFolder } from './shadow/pictures.ts';
import { serveTraffic } from './traffic-port.ts';
import { watchFiles } from './watch-files.ts';

/** `workers: 1`: one process carries the traffic and has the admin port. */
export async function serveAlone(options: ServingOptions): Promise<Serving> {
  const { configPath, stateDir, env, log, current, cancel } = options;
  const { config } = current.snapshot();
  const listeners = createListeners({ stateDir, router: process.pid, listen: config.listen });
  if (!listeners.others()) await freePort(config.listen);
  clearPictures(picturesFolder(stateDir));
  const metrics = createMetrics(current);
  const traffic = await serveTraffic({
    configPath,
    stateDir,
    snapshot: current.snapshot,
    env,
    log,
    counters: metrics,
  });
  listeners.announce(traffic.port);
  current.onSwap((_before, after) => traffic.use(after.config));
  const files = watchFiles(current, log);
  let isDraining = false;

  const openControl = (): Promise<Control> =>
    startControl({
      current,
      stateDir,
      env,
      log,
      metrics,
      windows: traffic.windows,
      answers: traffic.answers,
      shadow: traffic.shadow,
      listeners,
      isDraining: () => isDraining,
      dataPath: {
        connections: traffic.connections,
        instances: traffic.instances,
        workers: () => null,
        reached: async () => undefined,
      },
      cancel,
    });
  const stopTraffic = async (): Promise<void> => {
    await traffic.drain(current.snapshot().config.drain.deadline);
    files.close();
    listeners.withdraw();
  };

  const control = await openControl().catch(async (error: unknown) => {
    await stopTraffic();
    throw error;
  });
  const { version } = current.snapshot();
  log.info({ url: traffic.url, admin: control.adminUrl, version }, 'the router serves');

  return {
    url: traffic.url,
    adminUrl: control.adminUrl,
    reload: current.refresh,
    async replace() {
      log.warn(
        'one process can not replace itself: set workers to 2 or more, or start the next router and then end this one',
      );
    },
    async drain() {
      if (isDraining) return;
      isDraining = true;
      const { delay, deadline } = current.snapshot().config.drain;
      log.info({ delay, deadline }, 'draining');
      const following = whenOthers(listeners, control.close);
      await wait(delay);
      await stopTraffic();
      following.close();
      control.close();
      log.info('drained');
    },
  };
}
