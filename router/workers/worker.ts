import { flushCompileCache } from 'node:module';
import { setTimeout as wait } from 'node:timers/promises';
import { Registry } from '@prometheus-io/client';
import { pino } from 'pino';
import { parseConfig } from '../config/parse.ts';
import { readFlags } from '../flags/read.ts';
import { buildSnapshot, type Snapshot } from '../flags/snapshot.ts';
import { stateFolder } from '../config/state.ts';
import { createCounters } from '../metrics/counters.ts';
import { createDefaultAnswers } from '../metrics/evidence.ts';
import { createRequestLog } from '../metrics/log.ts';
import type { Reporter } from '../metrics/reporter.ts';
import { createOwnership } from '../ownership.ts';
import { serveTraffic } from '../traffic-port.ts';
import { SOCKET_FD } from './child.ts';
import { configArgument, failed, parentOf } from './inside.ts';
import type { FromWorker, Report, SnapshotText, ToWorker } from './protocol.ts';

// A process that carries requests: `worker.ts NAME --config FILE`, with a listening socket as file 3. It reads no config and no flags: it is told.

/** How often it reports, in milliseconds. */
const REPORT = 1000;
/** How long it serves on without a parent, in milliseconds: whoever starts the router again has this long. */
const ORPHAN = 5000;

const [, , name = 'worker'] = process.argv;
const { env } = process;
const configPath = configArgument();
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
let isDraining = false;

function take(text: SnapshotText): void {
  const { config } = parseConfig(text.config, env);
  if (!config)
    throw new Error('control sent a config that is wrong here; its environment must be another one');
  const { flags } = readFlags(text.flags, config);
  current = buildSnapshot(config, text.flags, flags, new Set(text.killed));
  if (current.version !== text.version)
    log.error(
      { version: current.version, control: text.version },
      'serving another version than control has',
    );
  starting ??= start(() => current!);
  void starting.then((started) => {
    started?.traffic.use(config);
    started?.report();
  });
}

async function start(snapshot: () => Snapshot) {
  try {
    const counters = createCounters(new Registry());
    const answers = createDefaultAnswers(Date.now);
    const requestLog = createRequestLog(log, () => snapshot().config.log.requests);
    const reporters: readonly Reporter[] = [...counters.reporters, answers];
    const traffic = await serveTraffic({
      configPath,
      snapshot,
      env,
      log,
      fd: SOCKET_FD,
      observe(observation) {
        counters.observe(observation);
        answers.observe(observation, snapshot().config.default);
        requestLog(observation);
      },
    });
    const ownership = createOwnership(stateFolder(configPath, env));
    ownership.listens();
    const summary = (): Report => ({
      status: {
        version: snapshot().version,
        connections: traffic.connections(),
        upstreams: traffic.instances(),
        draining: isDraining,
      },
      deltas: Object.fromEntries(reporters.map((reporter) => [reporter.name, reporter.take()])),
    });
    const report = (): void => parent.send({ type: 'report', report: summary() });
    const reporting = setInterval(report, REPORT);
    parent.send({ type: 'ready', url: traffic.url });
    flushCompileCache();
    return { traffic, ownership, summary, report, reporting };
  } catch (error) {
    parent.leave(failed(error), 2);
    return null;
  }
}

/** Nobody runs us any more. Traffic is still carried until the next router carries it or nobody has come; then what is under way is finished, and we are gone. */
async function orphaned(): Promise<void> {
  const { ownership } = (await starting) ?? {};
  const end = performance.now() + ORPHAN;
  // Control ends with the parent, though perhaps a moment later.
  const ours = ownership?.owner() ?? null;
  while ([null, ours].includes(ownership?.owner() ?? null) && performance.now() < end) await wait(100);
  await drain(current?.config.drain.deadline ?? 0);
}

async function drain(deadline: number): Promise<void> {
  if (isDraining) return;
  isDraining = true;
  const started = await starting;
  if (!started) return parent.leave(null, 0);
  started.report();
  await started.traffic.drain(deadline);
  clearInterval(started.reporting);
  started.ownership.release();
  parent.leave({ type: 'report', report: started.summary() }, 0);
}
