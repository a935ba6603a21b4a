import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type pg from 'pg';
import type { Progress } from '../../migrations/move/progress.ts';
import { testDatabase, testPool } from './postgres.ts';
import { until } from './until.ts';

const STRANGLER = resolve(import.meta.dirname, '../../node_modules/.bin/strangler');

/** What somebody has who knows the commands and nothing of the engine: two databases, a folder with a description, a shell. */
export interface Stranger {
  readonly old: pg.Pool;
  readonly young: pg.Pool;
  /** The description, a module of this text, as NAME.ts. */
  describe(name: string, text: string): void;
  /** `strangler move VERB NAME [MORE]` to its end. */
  move(
    verb: string,
    name: string,
    ...more: string[]
  ): Promise<{ code: number | null; out: string; err: string }>;
  /** `strangler move run NAME` until `close`, or until it ends. */
  run(name: string): Runner;
  close(): Promise<void>;
}

export interface Runner {
  /** Resolves when it says that the move is in a phase, in `deadline` milliseconds at most. */
  reaches(phase: Progress['phase'], deadline?: number): Promise<void>;
  /** And nothing waits to be sent. */
  atRest(phase: Progress['phase'], deadline?: number): Promise<void>;
  /** Ends as Ctrl-C does; answers the exit code. */
  stop(): Promise<number | null>;
}

export async function stranger(): Promise<Stranger> {
  const databases = [await testDatabase(), await testDatabase()];
  const [from, to] = databases.map(({ url }) => url) as [string, string];
  const pools = [testPool(from), testPool(to)] as const;
  const moves = mkdtempSync(join(tmpdir(), 'moves-'));
  const argsOf = (verb: string, name: string, more: readonly string[]): string[] => [
    'move',
    verb,
    name,
    ...more,
    '--moves',
    moves,
    '--from',
    from,
    '--to',
    to,
  ];
  const runners: Runner[] = [];
  return {
    old: pools[0],
    young: pools[1],
    describe: (name, text) => writeFileSync(join(moves, `${name}.ts`), text),
    async move(verb, name, ...more) {
      const child = spawn(STRANGLER, argsOf(verb, name, more), { stdio: ['ignore', 'pipe', 'pipe'] });
      let out = '';
      let err = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, out, err };
    },
    run(name) {
      const runner = runIt(argsOf('run', name, ['--json']));
      runners.push(runner);
      return runner;
    },
    async close() {
      await Promise.all(runners.map((runner) => runner.stop()));
      await Promise.all(pools.map((pool) => pool.end()));
      for (const database of databases) await database.drop();
      rmSync(moves, { recursive: true, force: true });
    },
  };
}

function runIt(args: readonly string[]): Runner {
  const child = spawn(STRANGLER, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close') as Promise<[number | null]>;
  let said: Progress | undefined;
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  createInterface({ input: child.stdout }).on('line', (line) => (said = JSON.parse(line) as Progress));
  const says = async (
    condition: (said: Progress) => boolean,
    what: string,
    deadline: number,
  ): Promise<void> => {
    said = undefined;
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`it ended before ${what}: ${err}`);
        return said !== undefined && condition(said);
      },
      () => `${what}; it said ${JSON.stringify(said)} ${err}`,
      deadline,
    );
  };
  return {
    reaches: (phase, deadline = 60_000) => says((said) => said.phase === phase, phase, deadline),
    atRest: (phase, deadline = 60_000) =>
      says(
        (said) => said.phase === phase && Object.values(said.waiting).every(({ rows }) => rows === 0),
        `rest in ${phase}`,
        deadline,
      ),
    async stop() {
      child.kill('SIGTERM');
      return (await closed)[0];
    },
  };
}
