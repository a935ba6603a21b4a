import { flushCompileCache } from 'node:module';
import { setTimeout as wait } from 'node:timers/promises';
import { Registry } from '@prometheus-io/client';
import { pino } from 'pino';
import { parseConfig } from '../config/parse.ts';
import { stateFolder } from '../config/state.ts';
import { readFlags } from '../flags/read.ts';
import { buildSnapshot, type Snapshot } from '../flags/snapshot.ts';
import { createListeners } from '../listeners.ts';
import { createCounters } from '../metrics/counters.ts';
import type { Reporter } from '../metrics/reporter.ts';
import { serveTraffic } from '../traffic-port.ts';
import { SOCKET_FD } from './child.ts';
import { configArgument, failed, parentOf } from './inside.ts';
import type { FromWorker, Report, SnapshotText, ToWorker } from './protocol.ts';

// A process that carries requests: `worker.ts NAME --config FILE`, with a bound socket as file 3. It reads no config and no flags: it is told.

/** How often it reports, in milliseconds. What is measured counts in the second in which it is reported, so this is how exact windows are. */
const REPORT = 250;
/** How long it serves on without a parent, in milliseconds: whoever starts the router again has this long. */
const ORPHAN = 10_000;
/** How often an orphan looks for the next router, in milliseconds. */
const LOOK = 100;

const [, , name = 'worker'] = process.argv;
const { env, ppid: router } = process;
const configPath = configArgument();
const stateDir = stateFolder(configPath, env);
const parent = parentOf<ToWorker, FromWorker>();
const log = pino({
  name: 'router',
  level: env['LOG_LEVEL'] ?? 'info',
  base: { pid: process.pid, name: 'router', worker: name },
  redact: ['req.headers.authorization', 'req.headers.cookie'],
});

parent.onMessage((message) => {
  if (message.type === 'snapshot') take(message.snapshot);
  else void drain(message.deadline);
});
parent.onGone(() => void orphaned());

let current: Snapshot | null = null;
let starting: ReturnType<typeof start> | null = null;
/** Sends what came since the last report; nothing before the start. */
let report = (): void => undefined;
let isDraining = false;

function take(text: SnapshotText): void {
  const { config } = parseConfig(text.config, env);
  // Control has checked it, with the same code unless this worker is one that drains.
  if (!config)
    return log.error({ control: text.version }, 'the config can not be read here; the last one stays');
  const { flags } = readFlags(text.flags, config);
  // What was measured so far belongs to the snapshot before.
  report();
  current = buildSnapshot(config, text.flags, flags, new Set(text.killed));
  if (current.version !== text.version)
    log.error(
      { version: current.version, control: text.version },
      'serving another version than control has',
    );
  starting ??= start(() => current!);
  void starting.then((started) => started?.traffic.use(config));
  report();
}

async function start(snapshot: () => Snapshot) {
  try {
    const counters = createCounters(new Registry());
    const traffic = await serveTraffic({
      configPath,
      stateDir,
      snapshot,
      env,
      log,
      counters,
      fd: SOCKET_FD,
    });
    const { windows, answers, shadow } = traffic;
    const reporters: readonly Reporter[] = [...counters.reporters, windows, answers, shadow.parity];
    const listeners = createListeners({ stateDir, router, listen: snapshot().config.listen });
    listeners.announce(traffic.port);
    const summary = (): Report => ({
      status: {
        version: snapshot().version,
        connections: traffic.connections(),
        upstreams: traffic.instances(),
        draining: isDraining,
      },
      deltas: Object.fromEntries(reporters.map((reporter) => [reporter.name, reporter.take()])),
    });
    report = () => parent.send({ type: 'report', report: summary() });
    const reporting = setInterval(() => report(), REPORT);
    parent.send({ type: 'ready', url: traffic.url });
    report();
    flushCompileCache();
    return { traffic, listeners, summary, reporting };
  } catch (error) {
    parent.leave(failed(error), 2);
    return null;
  }
}

/** Nobody runs us any more. Traffic is still carried until the next router carries it or nobody has come; then what is under way is finished, and we are gone. */
async function orphaned(): Promise<void> {
  const { listeners } = (await starting) ?? {};
  const end = performance.now() + ORPHAN;
  while (listeners && !listeners.others() && performance.now() < end) await wait(LOOK);
  await drain(current?.config.drain.deadline ?? 0);
}

async function drain(deadline: number): Promise<void> {
  if (isDraining) return;
  isDraining = true;
  const started = await starting;
  if (!started) return parent.leave(null, 0);
  report();
  await started.traffic.drain(deadline);
  started.listeners.withdraw();
  clearInterval(started.reporting);
  parent.leave({ type: 'report', report: started.summary() }, 0);
}
