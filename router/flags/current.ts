import { readText, watchPath, type FileText } from './file.ts';
import { killsFile, type Kills } from './kills.ts';
import { readFlags } from './read.ts';
import { buildSnapshot, hash, type Snapshot } from './snapshot.ts';
import { fileSource, type FlagSource } from './source.ts';
import { resolve, dirname } from 'node:path';
import type { Fault } from '../config/fault.ts';
import { fixedFaults } from '../config/fixed.ts';
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

/** The same of the flags, which may come from elsewhere than a file. */
export interface FlagsStatus extends FileStatus {
  /** True while their source is not heard of: what serves is the last that it said. */
  readonly stale: boolean;
  /** ISO 8601, UTC; null while it is heard of. */
  readonly staleSince: string | null;
  readonly staleWhy: string | null;
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
  status(): { readonly config: FileStatus; readonly flags: FlagsStatus };
  /** What the flags' source is called. */
  readonly flagsPath: string;
  readonly source: FlagSource;
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

/** The config at a start, with what is odd about it. Throws StartFaults. */
export function readConfig(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly config: Config; readonly warnings: readonly Fault[] } {
  const { config, faults, warnings } = parseFile(readText(path), env);
  if (!config) throw new StartFaults([{ file: path, faults }]);
  return { config, warnings };
}

/**
 * The one holder of the snapshot that serving reads. Config and flags are checked together, yet each keeps its own last good text: a
 * broken strangler.yaml must not keep a rollback in flags.json from being applied, nor the other way round. With `lastGood` it starts
 * from these texts, as if it had read the files while they were so, and then looks at what they hold now. `source`: of the flags, by default
 * the file that the config names. Throws StartFaults.
 */
export function loadCurrent(
  configPath: string,
  stateDir: string,
  env: Readonly<Record<string, string | undefined>>,
  lastGood: Texts | null = null,
  given: FlagSource | null = null,
): Current {
  const firstText = lastGood ? { text: lastGood.config } : readText(configPath);
  const first = parseFile(firstText, env);
  if (!first.config) throw new StartFaults([{ file: configPath, faults: first.faults }]);
  const source = given ?? fileSource(fileOf(first.config, configPath));
  const newest = source.read();
  const texts = lastGood
    ? [lastGood.flags]
    : 'text' in newest
      ? [newest.text, ...source.kept()]
      : source.kept();
  const firstFlags = texts.find((text) => readFlags(text, first.config!).faults.length === 0);
  if (firstFlags === undefined)
    throw new StartFaults([{ file: source.name, faults: faultsOf(newest, first.config) }]);

  const store = killsFile(stateDir);
  let kills = store.read();
  let config = first.config;
  let configText = 'text' in firstText ? firstText.text : '';
  let flagsText = firstFlags;
  let faults = { config: [] as readonly Fault[], flags: [] as readonly Fault[] };
  let snapshot = buildSnapshot(
    config,
    flagsText,
    readFlags(flagsText, config).flags,
    new Set(Object.keys(kills)),
  );
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
    const newest = source.read();
    let nextConfig = parsed.config && configFaults.length === 0 ? parsed.config : config;
    let found = faultsOf(newest, nextConfig);
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
        found = faultsOf(newest, config);
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
    if (found.length === 0) source.applied(flagsText);
  }

  if (lastGood || !('text' in newest) || newest.text !== firstFlags) refresh();
  else source.applied(firstFlags);
  return {
    snapshot: () => snapshot,
    configText: () => configText,
    flagsText: () => flagsText,
    kills: () => kills,
    flagsPath: source.name,
    source,
    warnings: first.warnings,
    status: () => ({
      config: {
        file: configPath,
        state: faults.config.length > 0 ? 'rejected' : 'applied',
        version: hash(JSON.stringify(config)),
        faults: faults.config,
      },
      flags: {
        file: source.name,
        state: faults.flags.length > 0 ? 'rejected' : 'applied',
        version: snapshot.flagsVersion,
        faults: faults.flags,
        stale: source.stale() !== null,
        staleSince: source.stale()?.since ?? null,
        staleWhy: source.stale()?.why ?? null,
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
      const watchers = [
        ...[configPath, store.path].map((path) => watchPath(path, refresh)),
        source.watch(refresh),
      ];
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

/** Path of the flag file. Throws StartFaults when the flags are in etcd, which takes a connection that only a router opens. */
function fileOf({ flags }: Config, configPath: string): string {
  if (flags.etcd.length > 0 || flags.file === undefined)
    throw new StartFaults([
      {
        file: configPath,
        faults: [
          {
            line: null,
            path: 'flags.etcd',
            message:
              'is followed by `strangler serve` only; where flags are read from a file, leave it out or empty',
          },
        ],
      },
    ]);
  return resolve(dirname(configPath), flags.file);
}

function faultsOf(flags: FileText, config: Config): readonly Fault[] {
  return 'text' in flags ? readFlags(flags.text, config).faults : [unreadable(flags.missing)];
}

function unreadable(message: string): Fault {
  return { line: null, path: '', message };
}
