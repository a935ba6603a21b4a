import type { Logger } from 'pino';
import { startChild } from './child.ts';
import { errorOf } from './inside.ts';
import type { FromRelief, ToRelief } from './protocol.ts';

export interface ReliefOptions {
  readonly configPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Number of our listening socket. */
  readonly fd: number;
  readonly adminUrl: string;
}

/** The process that serves in our place. We stay the outermost one: signals and exit code go through us. */
export interface Relief {
  reload(): void;
  replace(): Promise<void>;
  drain(): Promise<void>;
}

/**
 * Has a child take over, on the listening socket we have: it inherits the socket, so nobody who waits in its queue is lost when we close ours. `yielding`
 * is called when the child's workers accept and journal and admin port are to be left to it. null, with everything as it was, when it can't start.
 */
export async function relieve(options: ReliefOptions, yielding: () => void): Promise<Relief | null> {
  const { log, env, fd } = options;
  const child = startChild<ToRelief, FromRelief>(
    './relief-process.ts',
    'relief',
    ['--config', options.configPath, '--admin', options.adminUrl],
    { env, fd },
  );
  const standby = Promise.withResolvers<void>();
  const serving = Promise.withResolvers<void>();
  const fail = (error: Error): void => {
    standby.reject(error);
    serving.reject(error);
  };
  serving.promise.catch(() => undefined);
  child.onMessage((message) => {
    if (message.type === 'standby') standby.resolve();
    else if (message.type === 'serving') serving.resolve();
    else fail(errorOf(message));
  });
  void child.ended.then((how) => fail(new Error(`it ended (${how})`)));
  try {
    await standby.promise;
  } catch (err) {
    log.error({ err }, 'the router was not replaced; what ran goes on');
    child.kill();
    await child.ended;
    return null;
  }
  yielding();
  child.send({ type: 'go' });
  let isEnding = false;
  // What serves is gone, unasked: whoever runs us has to start us again.
  void child.ended.then((how) => {
    if (isEnding) return;
    log.error({ how }, 'the process that served in our place ended');
    process.exit(1);
  });
  await serving.promise;
  return {
    reload: () => child.send({ type: 'reload' }),
    replace: async () => child.send({ type: 'replace' }),
    async drain() {
      isEnding = true;
      child.send({ type: 'drain' });
      const how = await child.ended;
      if (how !== 0) process.exit(1);
    },
  };
}
