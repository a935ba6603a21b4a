import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { endedWithin, startChild, type Child } from './child.ts';
import { errorOf } from './inside.ts';
import type { FromControl, Report, SnapshotText, ToControl } from './protocol.ts';

export interface ControllingOptions {
  readonly configPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Called with every snapshot but the first. */
  readonly changed: (snapshot: SnapshotText) => void;
}

/** The control process, which is started again when it ends; what workers report meanwhile is kept for it. */
export interface Controlling {
  /** What is to be served: the last that control has said. */
  snapshot(): SnapshotText;
  /** Has it take the state folder and the admin port. Resolves with the admin port's address; rejects when it can't, with the process ended. */
  go(url: string, adminUrl: string | null): Promise<string>;
  report(name: string, pid: number, report: Report): void;
  gone(pid: number): void;
  reload(): void;
  draining(): void;
  /** Ends it for good. */
  close(): Promise<void>;
}

/** A control process that lived shorter than this (milliseconds) is not started again at once. */
const STABLE = 5000;
/** The longest pause before a new start, in milliseconds. */
const LONGEST_PAUSE = 2000;
/** Messages kept while there is no control process; the oldest are dropped first. */
const KEPT = 2000;
/** For a flush and an end, in milliseconds. */
const CLOSING = 5000;

type Process = Child<ToControl, FromControl>;

/** Starts the control process. Resolves when it has read the files, rejects when they are wrong (StartFaults). */
export async function startControlling(options: ControllingOptions): Promise<Controlling> {
  const { log, changed } = options;
  let isEnding = false;
  let isDraining = false;
  let live: Process | null = null;
  let newest: Process;
  let went: { url: string; adminUrl: string | null } | null = null;
  const kept: ToControl[] = [];

  const first = launch(null);
  let snapshot = await first.loaded;
  live = first.child;

  function launch(lastGood: SnapshotText | null): {
    child: Process;
    loaded: Promise<SnapshotText>;
    serving: Promise<string>;
  } {
    const child: Process = startChild('./control.ts', 'control', ['--config', options.configPath], options);
    newest = child;
    const loaded = Promise.withResolvers<SnapshotText>();
    const serving = Promise.withResolvers<string>();
    const fail = (error: Error): void => {
      loaded.reject(error);
      serving.reject(error);
    };
    let isFirst = true;
    child.onMessage((message) => {
      if (message.type === 'failed') return fail(errorOf(message));
      if (message.type === 'serving') return serving.resolve(message.adminUrl);
      if (isFirst) loaded.resolve(message.snapshot);
      else changed((snapshot = message.snapshot));
      isFirst = false;
    });
    void child.ended.then((how) => fail(new Error(`control ended (${how})`)));
    // Whoever waits for them hears of it; nobody may.
    for (const promise of [loaded.promise, serving.promise]) promise.catch(() => undefined);
    child.send({ type: 'load', lastGood });
    return { child, loaded: loaded.promise, serving: serving.promise };
  }

  function tell(message: ToControl): void {
    if (live !== null) return live.send(message);
    kept.push(message);
    if (kept.length > KEPT) kept.shift();
  }

  /** Starts it again whenever it ends. The workers go on by what they have. */
  async function keepUp(started: Process): Promise<void> {
    let failures = 0;
    for (let child = started; ;) {
      const how = await child.ended;
      live = null;
      if (isEnding || isDraining) return;
      failures = child.age() > STABLE ? 0 : failures + 1;
      log.warn({ pid: child.pid, how }, 'control ended; it is started again, and the workers serve on');
      if (failures > 1) await wait(Math.min(LONGEST_PAUSE, 50 * 2 ** failures));
      if (isEnding || isDraining) return;
      const next = launch(snapshot);
      child = next.child;
      await next.loaded.then(
        (loaded) => {
          if (loaded.version !== snapshot.version) changed((snapshot = loaded));
          live = child;
          for (const message of kept.splice(0)) child.send(message);
          child.send({ type: 'go', ...went! });
          if (isDraining) child.send({ type: 'draining' });
          next.serving.then(
            (adminUrl) => log.info({ admin: adminUrl, pid: child.pid }, 'control is back'),
            (err: unknown) => log.error({ err }, 'control could not start'),
          );
        },
        (err: unknown) => isEnding || log.error({ err }, 'control could not start'),
      );
    }
  }

  let up: Promise<void> | null = null;
  return {
    snapshot: () => snapshot,
    async go(url, adminUrl) {
      first.child.send({ type: 'go', url, adminUrl });
      const bound = await first.serving;
      went = { url, adminUrl: bound };
      up = keepUp(first.child);
      return bound;
    },
    report: (name, pid, report) => tell({ type: 'report', name, pid, report }),
    gone: (pid) => tell({ type: 'gone', pid }),
    reload: () => live?.send({ type: 'reload' }),
    draining() {
      isDraining = true;
      live?.send({ type: 'draining' });
    },
    async close() {
      isEnding = true;
      newest.send({ type: 'close' });
      await endedWithin(newest, CLOSING);
      await up;
    },
  };
}
