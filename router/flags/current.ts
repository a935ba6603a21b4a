import { readText, watchPath, type FileText } from './file.ts';
import { killsFile, type Kills } from './kills.ts';
import { readFlags } from './read.ts';
import { buildSnapshot, hash, type Snapshot } from './snapshot.ts';
import { resolve, dirname } from 'node:path';
import type { Fault } from '../config/fault.ts';
import { parseConfig } from '../config/parse.ts';
import type { Config } from '../config/schema.ts';

/** Whether the newest text of a file is the one in force. */
export interface FileStatus {
  readonly file: string;
  readonly state: 'applied' | 'rejected';
  /** Of what is in force. */
  readonly version: string;
  readonly faults: readonly Fault[];
}

/** Files that can't be served at start: one list a file. */
export class StartFaults extends Error {
  readonly files: readonly { readonly file: string; readonly faults: readonly Fault[] }[];
  constructor(files: StartFaults['files']) {
    super('the configuration is wrong');
    this.files = files;
  }
}

export interface Current {
  snapshot(): Snapshot;
  /** Text of the flags in force: what a change starts from. */
  flagsText(): string;
  /** Text of the config in force. */
  configText(): string;
  kills(): Kills;
  status(): { readonly config: FileStatus; readonly flags: FileStatus };
  readonly flagsPath: string;
  /** What was odd about the config at start. */
  readonly warnings: readonly Fault[];
  /** Reads both files and the kills again and swaps the snapshot when they hold something new and good. */
  refresh(): void;
  setKills(kills: Kills): void;
  /** Calls back after every swap. The listener hears what was before. */
  onSwap(listener: (before: Snapshot, after: Snapshot) => void): void;
  watch(): { close(): void };
}

/** Texts that passed together. */
export interface Texts {
  readonly config: string;
  readonly flags: string;
}

/**
 * The one holder of the snapshot that serving reads. Config and flags are checked together, yet each keeps its own last good text: a
 * broken strangler.yaml must not keep a rollback in flags.json from being applied, nor the other way round. With `lastGood` it starts
 * from these texts, as if it had read the files while they were so, and then looks at what they hold now. Throws StartFaults.
 */
export function loadCurrent(
  configPath: string,
  stateDir: string,
  env: Readonly<Record<string, string | undefined>>,
  lastGood: Texts | null = null,
): Current {
  const firstText = lastGood ? { text: lastGood.config } : readText(configPath);
  const first = parseFile(firstText, env);
  if (!first.config) throw new StartFaults([{ file: configPath, faults: first.faults }]);
  const flagsPath = resolve(dirname(configPath), first.config.flags.file);
  const firstFlags = lastGood ? { text: lastGood.flags } : readText(flagsPath);
  const read =
    'text' in firstFlags
      ? readFlags(firstFlags.text, first.config)
      : { flags: new Map(), faults: [unreadable(firstFlags.missing)] };
  if (read.faults.length > 0 || !('text' in firstFlags))
    throw new StartFaults([{ file: flagsPath, faults: read.faults }]);

  const store = killsFile(stateDir);
  let kills = store.read();
  let config = first.config;
  let configText = 'text' in firstText ? firstText.text : '';
  let flagsText = firstFlags.text;
  let faults = { config: [] as readonly Fault[], flags: [] as readonly Fault[] };
  let snapshot = buildSnapshot(config, flagsText, read.flags, new Set(Object.keys(kills)));
  const listeners: ((before: Snapshot, after: Snapshot) => void)[] = [];

  function swap(nextConfig: Config, nextText: string): void {
    const next = buildSnapshot(
      nextConfig,
      nextText,
      readFlags(nextText, nextConfig).flags,
      new Set(Object.keys(kills)),
    );
    config = nextConfig;
    flagsText = nextText;
    if (next.version === snapshot.version) return;
    const before = snapshot;
    snapshot = next;
    for (const listener of listeners) listener(before, next);
  }

  function refresh(): void {
    const file = readText(configPath);
    const parsed = parseFile(file, env);
    const configFaults = parsed.config ? fixedFaults(first.config!, parsed.config) : parsed.faults;
    const newest = readText(flagsPath);
    let nextConfig = parsed.config && configFaults.length === 0 ? parsed.config : config;
    const flagFaults = (against: Config): readonly Fault[] =>
      'text' in newest ? readFlags(newest.text, against).faults : [unreadable(newest.missing)];
    let found = flagFaults(nextConfig);
    let configNow = configFaults;
    if (found.length > 0 && nextConfig !== config) {
      const misfit = readFlags(flagsText, nextConfig).faults;
      if (misfit.length > 0) {
        configNow = misfit.map((fault) => ({
          line: null,
          path: '',
          message: `does not fit the flags in force: ${fault.path} ${fault.message}`,
        }));
        nextConfig = config;
        found = flagFaults(config);
      }
    }
    faults = { config: configNow, flags: found };
    if (nextConfig !== config && 'text' in file) configText = file.text;
    try {
      kills = store.read();
    } catch {
      // It is written whole or not at all; one that somebody broke by hand undoes no kill.
    }
    swap(nextConfig, found.length === 0 && 'text' in newest ? newest.text : flagsText);
  }

  if (lastGood) refresh();
  return {
    snapshot: () => snapshot,
    configText: () => configText,
    flagsText: () => flagsText,
    kills: () => kills,
    flagsPath,
    warnings: first.warnings,
    status: () => ({
      config: {
        file: configPath,
        state: faults.config.length > 0 ? 'rejected' : 'applied',
        version: hash(JSON.stringify(config)),
        faults: faults.config,
      },
      flags: {
        file: flagsPath,
        state: faults.flags.length > 0 ? 'rejected' : 'applied',
        version: snapshot.flagsVersion,
        faults: faults.flags,
      },
    }),
    refresh,
    setKills(next) {
      store.write(next);
      kills = next;
      swap(config, flagsText);
    },
    onSwap: (listener) => void listeners.push(listener),
    watch() {
      // Another router on this folder may use the brake.
      const watchers = [configPath, flagsPath, store.path].map((path) => watchPath(path, refresh));
      return { close: () => watchers.forEach((watcher) => watcher.close()) };
    },
  };
}

function parseFile(
  file: FileText,
  env: Readonly<Record<string, string | undefined>>,
): { config: Config | null; faults: readonly Fault[]; warnings: readonly Fault[] } {
  return 'text' in file
    ? parseConfig(file.text, env)
    : { config: null, faults: [unreadable(file.missing)], warnings: [] };
}

function unreadable(message: string): Fault {
  return { line: null, path: '', message };
}

/** What was bound at start can't be changed by a reload. */
function fixedFaults(start: Config, next: Config): Fault[] {
  const fixed: readonly (readonly [string, (config: Config) => unknown])[] = [
    ['listen', (config) => config.listen],
    ['tls', (config) => config.tls],
    ['admin.listen', (config) => config.admin.listen],
    ['flags.file', (config) => config.flags.file],
    ['workers', (config) => config.workers],
  ];
  return fixed
    .filter(([, get]) => JSON.stringify(get(start)) !== JSON.stringify(get(next)))
    .map(([path]) => ({
      line: null,
      path,
      message: 'was changed; it only takes effect at a restart, so this version of the file is not applied',
    }));
}
