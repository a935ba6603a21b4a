import { closeSync } from 'node:fs';
import { pino } from 'pino';
import { stateFolder } from '../config/state.ts';
import type { Serving } from '../serving.ts';
import { SOCKET_FD } from './child.ts';
import { configArgument, failed, parentOf } from './inside.ts';
import type { FromRelief, ToRelief } from './protocol.ts';
import { supervise } from './supervisor.ts';

// What SIGUSR2 starts when one process serves alone: `relief-process.ts --config FILE --admin URL`, with its listening socket as file 3. It runs control and
// worker, and holds the socket by just having inherited it.

const { env } = process;
const configPath = configArgument();
const adminUrl = process.argv[process.argv.indexOf('--admin') + 1]!;
const parent = parentOf<ToRelief, FromRelief>();
const go = Promise.withResolvers<void>();
let serving: Serving | null = null;
let isOrphan = false;

async function drain(): Promise<void> {
  await serving?.drain();
  process.exit(0);
}

parent.onMessage(({ type }) => {
  if (type === 'go') go.resolve();
  else if (type === 'reload') serving?.reload();
  else if (type === 'replace') void serving?.replace();
  else void drain();
});
parent.onGone(() => {
  isOrphan = true;
  void drain();
});

try {
  serving = await supervise(
    {
      configPath,
      stateDir: stateFolder(configPath, env),
      env,
      log: pino({ name: 'router', level: env['LOG_LEVEL'] ?? 'info' }),
    },
    { fd: SOCKET_FD, close: () => closeSync(SOCKET_FD) },
    adminUrl,
    async () => {
      parent.send({ type: 'standby' });
      await go.promise;
    },
  );
  parent.send({ type: 'serving', adminUrl: serving.adminUrl });
  if (isOrphan) await drain();
} catch (error) {
  parent.leave(failed(error), 2);
}
