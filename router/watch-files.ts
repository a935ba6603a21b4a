import type { Logger } from 'pino';
import type { Current } from './flags/current.ts';
import { viewOf } from './flags/view.ts';

/** How often is looked whether there is a fault to tell, in milliseconds. */
const LOOK = 500;

/** Polls the files and says in the log when one is rejected, when it is good again, and what serves since. */
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
  const timer = setInterval(report, LOOK);
  return {
    close() {
      watcher.close();
      clearInterval(timer);
    },
  };
}
