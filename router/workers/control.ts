import { flushCompileCache } from 'node:module';
import { pino } from 'pino';
import { stateFolder } from '../config/state.ts';
import { parseConfig } from '../config/parse.ts';
import { startControl, type Control } from '../control.ts';
import { loadCurrent, readConfig, type Current } from '../flags/current.ts';
import { openSource } from '../flags/open-source.ts';
import { createListeners, whenOthers } from '../listeners.ts';
import { createDefaultAnswers } from '../metrics/evidence.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { createWindows } from '../metrics/windows.ts';
import { DEFAULT_SHADOW_LIMITS } from '../shadow/options.ts';
import { createParity } from '../shadow/parity.ts';
import { clearPictures, createPictureStore, picturesFolder } from '../shadow/pictures.ts';
import { watchFiles } from '../watch-files.ts';
import { configArgument, failed, parentOf } from './inside.ts';
import type { Address, FromControl, SnapshotText, ToControl } from './protocol.ts';
import { createRoster } from './roster.ts';

// The process that decides what is served, and carries nothing: `control.ts --config FILE`. It alone reads config and flags, and has journal, ramp and
// admin port. What workers have measured is added up here.

const { env } = process;
const configPath = configArgument();
const stateDir = stateFolder(configPath, env);
const parent = parentOf<ToControl, FromControl>();
const log = pino({
  name: 'router',
  level: env['LOG_LEVEL'] ?? 'info',
  redact: ['req.headers.authorization', 'req.headers.cookie'],
});

let running: Awaited<ReturnType<typeof load>> | null = null;
let control: Control | null = null;
let isDraining = false;

parent.onGone(() => void close());
parent.onMessage((message) => {
  switch (message.type) {
    case 'load':
      return void begin(message.lastGood).catch((error: unknown) => parent.leave(failed(error), 2));
    case 'go':
      return void go(message.listen).catch((error: unknown) => parent.leave(failed(error), 2));
    case 'report':
      return running?.roster.report(message.name, message.pid, message.report);
    case 'gone':
      return running?.roster.gone(message.pid);
    case 'reload':
      return running?.current.refresh();
    case 'draining':
      isDraining = true;
      return void (running && whenOthers(running.listeners, () => void control?.close()));
    case 'close':
      return void close();
  }
});

async function begin(lastGood: SnapshotText | null): Promise<void> {
  running = await load(lastGood);
  running.tell();
}

async function load(lastGood: SnapshotText | null) {
  const config = lastGood ? parseConfig(lastGood.config, env).config! : readConfig(configPath, env).config;
  const source = await openSource(config, configPath, stateDir);
  const current = loadCurrent(configPath, stateDir, env, lastGood, source);
  const { listen } = current.snapshot().config;
  const listeners = createListeners({ stateDir, router: process.ppid, listen });
  const folder = picturesFolder(stateDir);
  clearPictures(folder);
  const pictures = createPictureStore(folder);
  const parity = createParity(DEFAULT_SHADOW_LIMITS, pictures);
  const metrics = createMetrics(current);
  const windows = createWindows({ now: Date.now });
  const answers = createDefaultAnswers(Date.now);
  const roster = createRoster([...metrics.reporters, windows, answers, parity]);
  const tell = (): void => parent.send({ type: 'snapshot', snapshot: textOf(current) });
  current.onSwap(tell);
  watchFiles(current, log);
  return { current, listeners, metrics, windows, answers, shadow: { parity, pictures }, roster, tell };
}

async function go(listen: Address | null): Promise<void> {
  const { roster, ...parts } = running!;
  control = await startControl({
    ...parts,
    stateDir,
    env,
    log,
    isDraining: () => isDraining,
    dataPath: roster,
    ...(listen ? { listen } : {}),
  });
  parent.send({ type: 'serving', adminUrl: control.adminUrl });
  flushCompileCache();
}

async function close(): Promise<void> {
  await control?.close();
  parent.leave(null, 0);
}

function textOf(current: Current): SnapshotText {
  return {
    config: current.configText(),
    flags: current.flagsText(),
    killed: Object.keys(current.kills()),
    version: current.snapshot().version,
  };
}
