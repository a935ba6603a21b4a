import { Worker } from 'node:worker_threads';
import type { Outcome, RepeaterSetup, ToRepeater } from './messages.ts';
import type { Shadowed } from './options.ts';

export interface ThreadOptions extends RepeaterSetup {
  readonly onOutcome: (outcome: Outcome) => void;
  /** The thread is gone, and with it all that was under way. */
  readonly onGone: (error: unknown) => void;
}

/** The thread that repeats and compares, as the thread that serves sees it. Begun when it is first needed, and anew after it has died. */
export interface Thread {
  /** Number of a route, which the thread knows it by from now on. */
  route(of: Shadowed): number;
  post(message: ToRepeater, given: readonly ArrayBuffer[]): void;
  /** Ends the thread: it is stuck. */
  drop(reason: string): void;
  close(): Promise<void>;
}

export function createThread({ folder, limits, onOutcome, onGone }: ThreadOptions): Thread {
  let worker: Worker | null = null;
  const routes = new Map<string, { readonly kind: 'route'; readonly route: number; readonly of: Shadowed }>();

  function begin(): Worker {
    const begun = new Worker(new URL('./repeater-thread.ts', import.meta.url), {
      workerData: { folder, limits } satisfies RepeaterSetup,
      resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 },
    });
    // It never keeps the process from ending.
    begun.unref();
    const gone = (error: unknown): void => {
      if (worker !== begun) return;
      worker = null;
      onGone(error);
    };
    for (const message of routes.values()) begun.postMessage(message, []);
    begun.on('message', onOutcome);
    begun.on('error', gone);
    begun.on('exit', (code) => gone(new Error(`the thread ended with ${code}`)));
    return begun;
  }

  return {
    route(of) {
      const key = JSON.stringify(of);
      const known = routes.get(key);
      if (known) return known.route;
      const message = { kind: 'route', route: routes.size, of } as const;
      routes.set(key, message);
      // Begun before the first sample, so that it does not wait; a new thread is told all it has to know.
      if (worker === null) worker = begin();
      else worker.postMessage(message, []);
      return message.route;
    },
    post(message, given) {
      worker ??= begin();
      worker.postMessage(message, [...given]);
    },
    drop(reason) {
      const dropped = worker;
      worker = null;
      void dropped?.terminate();
      onGone(new Error(reason));
    },
    async close() {
      const ended = worker;
      worker = null;
      await ended?.terminate();
    },
  };
}
