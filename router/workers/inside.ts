import { StartFaults } from '../flags/current.ts';
import type { Failed } from './protocol.ts';

/** What a forked process of the router does with the channel to its parent. */
export interface Parent<To, From> {
  send(message: From): void;
  /** Sends a last message and ends. */
  leave(message: From | null, code: number): void;
  onMessage(listener: (message: To) => void): void;
  /** The parent ended, however it did. */
  onGone(listener: () => void): void;
}

/**
 * The parent of this process. Signals that a terminal or a service manager sends to the whole group are the parent's to act on, who tells us in order;
 * without it they mean us.
 */
export function parentOf<To extends object, From extends object>(): Parent<To, From> {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const)
    process.on(signal, () => {
      if (!process.connected && (signal === 'SIGTERM' || signal === 'SIGINT')) process.exit(1);
    });
  return {
    send(message) {
      if (process.connected) process.send!(message, undefined, undefined, () => undefined);
    },
    leave(message, code) {
      // Whoever reads the log may be gone as well, and at a regular exit the log would be waited for, without end (sonic-boom 5, flushSync).
      if (!process.connected) process.kill(process.pid, 'SIGKILL');
      const exit = (): void => process.exit(code);
      if (message === null) exit();
      else process.send!(message, undefined, undefined, exit);
    },
    onMessage: (listener) => void process.on('message', (message) => listener(message as To)),
    onGone(listener) {
      if (process.connected) process.once('disconnect', listener);
      else setImmediate(listener);
    },
  };
}

/** An error as it travels to the parent. */
export function failed(error: unknown): Failed {
  const { code, message } = error as NodeJS.ErrnoException;
  return {
    type: 'failed',
    files: error instanceof StartFaults ? error.files : null,
    code: code ?? null,
    message: message ?? String(error),
  };
}

/** The error that a child reported, as it would have been thrown here. */
export function errorOf({ files, code, message }: Failed): Error {
  if (files) return new StartFaults(files);
  return Object.assign(new Error(message), code === null ? {} : { code });
}

/** Value of `--config` among arguments, by default those of this process. */
export function configArgument(args: readonly string[] = process.argv): string {
  return args[args.indexOf('--config') + 1]!;
}
