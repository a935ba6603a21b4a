import type { Logger } from 'pino';
import { endedWithin, startChild, type Child } from './child.ts';
import { errorOf } from './inside.ts';
import { keepRunning } from './keep.ts';
import type { Address, FromControl, Report, SnapshotText, ToControl } from './protocol.ts';

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
  /**
   * Has it open the admin port. Resolves with the port's address. When it can't: rejects with the process ended; but with `anyway`, when there is no way
   * back, it is tried again and again.
   */
  go(listen: Address | null, anyway: boolean): Promise<string>;
  report(name: string, pid: number, report: Report): void;
  gone(pid: number): void;
  reload(): void;
  draining(): void;
  /** Ends it for good. */
  close(): Promise<void>;
}

/** Messages kept while there is no control process; the oldest are dropped first. */
const KEPT = 2000;
/** For a flush and an end, in milliseconds. */
const CLOSING = 5000;

type Process = Child<ToControl, FromControl>;

/** Starts the control process. Resolves when it has read the files, rejects when they are wrong (StartFaults). */
export async function startControlling(options: ControllingOptions): Promise<Controlling> {
  const { log, changed } = options;
  let isOver = false;
  /** The process that messages go to; null while there is none that has read the files. */
  let live: Process | null = null;
  let newest: Process;
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

  /** Another one in the place of one that ended: it goes on from what is served. */
  function again(listen: Address | null): Process {
    const { child, loaded, serving } = launch(snapshot);
    loaded
      .then((found) => {
        if (found.version !== snapshot.version) changed((snapshot = found));
        live = child;
        for (const message of kept.splice(0)) child.send(message);
        child.send({ type: 'go', listen });
        return serving;
      })
      .then(
        (adminUrl) => log.info({ admin: adminUrl, pid: child.pid }, 'control is back'),
        (err: unknown) => isOver || log.error({ err }, 'control could not start; it is tried again'),
      );
    return child;
  }

  let keeping: Promise<void> | null = null;
  function keep(listen: Address | null): void {
    keeping = keepRunning(first.child, {
      isOver: () => isOver,
      ended({ pid }, how) {
        live = null;
        if (!isOver) log.warn({ pid, how }, 'control ended; it is started again, and the workers serve on');
      },
      start: () => again(listen),
    });
  }

  return {
    snapshot: () => snapshot,
    async go(listen, anyway) {
      if (anyway) keep(listen);
      first.child.send({ type: 'go', listen });
      const url = await first.serving.catch((error: unknown) => {
        if (anyway && listen) return `http://${listen.host}:${listen.port}`;
        throw error;
      });
      if (!anyway) keep(addressOf(url));
      return url;
    },
    report: (name, pid, report) => tell({ type: 'report', name, pid, report }),
    gone: (pid) => tell({ type: 'gone', pid }),
    reload: () => live?.send({ type: 'reload' }),
    draining() {
      isOver = true;
      live?.send({ type: 'draining' });
    },
    async close() {
      isOver = true;
      newest.send({ type: 'close' });
      await endedWithin(newest, CLOSING);
      await keeping;
    },
  };
}

/** Host and port of an http: origin. */
export function addressOf(url: string): Address {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) };
}
