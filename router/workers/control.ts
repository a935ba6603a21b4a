import { flushCompileCache } from 'node:module';
import { pino } from 'pino';
import { stateFolder } from '../config/state.ts';
import { startControl, watchFiles, type Control } from '../control.ts';
import { loadCurrent, type Current } from '../flags/current.ts';
import { createDefaultAnswers } from '../metrics/evidence.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { createOwnership, whenAsked } from '../ownership.ts';
import { configArgument, failed, parentOf } from './inside.ts';
import type { FromControl, SnapshotText, ToControl } from './protocol.ts';
import { createRoster } from './roster.ts';

// The process that decides what is served, and carries nothing: `control.ts --config FILE`. It alone reads config and flags, and has journal and admin port.

const { env } = process;
const configPath = configArgument();
const stateDir = stateFolder(configPath, env);
const parent = parentOf<ToControl, FromControl>();
const log = pino({
  name: 'router',
  level: env['LOG_LEVEL'] ?? 'info',
  redact: ['req.headers.authorization', 'req.headers.cookie'],
});

let running: ReturnType<typeof load> | null = null;
let control: Control | null = null;
let isDraining = false;

parent.onGone(close);
parent.onMessage((message) => {
  switch (message.type) {
    case 'load':
      return attempt(() => void (running = load(message.lastGood)));
    case 'go':
      return void go(message.adminUrl).catch((error: unknown) => parent.leave(failed(error), 2));
    case 'report':
      return running?.roster.report(message.name, message.pid, message.report);
    case 'gone':
      return running?.roster.gone(message.pid);
    case 'reload':
      return running?.current.refresh();
    case 'draining':
      return drain();
    case 'close':
      return close();
  }
});

function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    parent.leave(failed(error), 2);
  }
}

function load(lastGood: SnapshotText | null) {
  const ownership = createOwnership(stateDir);
  if (ownership.owner() !== null) ownership.announce('starting');
  const current = loadCurrent(configPath, stateDir, env, lastGood);
  const metrics = createMetrics(current);
  const answers = createDefaultAnswers(Date.now);
  const roster = createRoster([...metrics.reporters, answers]);
  const tell = (): void => parent.send({ type: 'snapshot', snapshot: textOf(current) });
  current.onSwap(tell);
  const files = watchFiles(current, log);
  tell();
  return { ownership, current, metrics, answers, roster, files };
}

async function go(adminUrl: string | null): Promise<void> {
  const { ownership, current, metrics, answers, roster } = running!;
  const { drain } = current.snapshot().config;
  if (ownership.owner() !== null) ownership.announce('listening');
  await ownership.take(drain.delay + drain.deadline);
  current.rereadKills();
  control = await startControl({
    current,
    stateDir,
    env,
    log,
    metrics,
    answers,
    isDraining: () => isDraining,
    ...(adminUrl === null ? {} : { listen: addressOf(adminUrl) }),
    dataPath: roster,
  });
  parent.send({ type: 'serving', adminUrl: control.adminUrl });
  flushCompileCache();
}

function drain(): void {
  isDraining = true;
  if (running)
    whenAsked(running.ownership, () => {
      control?.close();
      running?.ownership.handOver();
    });
}

function close(): void {
  control?.close();
  running?.ownership.release();
  process.exit(0);
}

function textOf(current: Current): SnapshotText {
  return {
    config: current.configText(),
    flags: current.flagsText(),
    killed: Object.keys(current.kills()),
    version: current.snapshot().version,
  };
}

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) };
}
