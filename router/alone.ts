import { setTimeout as wait } from 'node:timers/promises';
import { startControl, type Control } from './control.ts';
import { freePort } from './free-port.ts';
import { createListeners, whenOthers } from './listeners.ts';
import { createMetrics } from './metrics/metrics.ts';
import type { Current } from './flags/current.ts';
import type { Serving, ServingOptions } from './serving.ts';
import { clearPictures, picturesFolder } from './shadow/pictures.ts';
import { serveTraffic } from './traffic-port.ts';
import { watchFiles } from './watch-files.ts';

/** `workers: 1`: one process carries the traffic and has the admin port. */
export async function serveAlone(options: ServingOptions & { readonly current: Current }): Promise<Serving> {
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

  /** Processes that this one keeps running instead of serving by itself; null while there are none. */
  let successor: Promise<Serving | null> = Promise.resolve(null);
  let left: Promise<void> = Promise.resolve();

  /** What serves is replaced by processes of their own, below this one, whose pid is known outside: it carries no request from then on. */
  async function hand(): Promise<Serving | null> {
    const { adminUrl, close } = control;
    const before = { config: current.snapshot().config, adminUrl, leave: close };
    try {
      const { succeed } = await import('./workers/supervisor.ts');
      const next = await succeed(options, traffic.port, before);
      left = stopTraffic();
      return next;
    } catch (err) {
      log.error({ err }, 'the router was not replaced; what ran goes on');
      return null;
    }
  }

  return {
    url: traffic.url,
    adminUrl: control.adminUrl,
    reload: () => void successor.then((next) => (next ?? { reload: current.refresh }).reload()),
    async replace() {
      if (isDraining) return;
      successor = successor.then(async (next) => {
        if (!next) return await hand();
        await next.replace();
        return next;
      });
      await successor;
    },
    async drain() {
      if (isDraining) return;
      isDraining = true;
      const next = await successor;
      if (next) return void (await Promise.all([next.drain(), left]));
      const { delay, deadline } = current.snapshot().config.drain;
      log.info({ delay, deadline }, 'draining');
      const following = whenOthers(listeners, () => void control.close());
      await wait(delay);
      await stopTraffic();
      following.close();
      await control.close();
      log.info('drained');
    },
  };
}
