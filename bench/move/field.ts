import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { openMove, type Move } from '../../migrations/move/side.ts';
import { startPostgres } from '../../tools/postgres.ts';
import { spawnTethered } from '../../tools/tethered.ts';
import photos, { NEW, OLD, SEED } from './moves/photos.ts';

const STRANGLER = resolve(import.meta.dirname, '../../node_modules/.bin/strangler');

/** Two servers, durable as in production, with a table of `rows` rows at the old side, and a move between them that has not started. */
export interface Field {
  readonly rows: number;
  /** For files of a measurement; goes with the field. */
  readonly dir: string;
  readonly urls: readonly [string, string];
  /** Connections as the applications of the two sides have them. */
  readonly old: pg.Pool;
  readonly young: pg.Pool;
  readonly move: Move;
  /** A process that ends with the field, if not before. */
  spawn(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): ChildProcess;
  /** `strangler move run`, a process of its own with default options. Answers when it is spawned. */
  runner(): ChildProcess;
  /** Runs a verb of `strangler move` to its end; rejects when that is not 0. */
  strangler(verb: string, ...args: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export async function openField(rows: number): Promise<Field> {
  const dir = mkdtempSync(join(tmpdir(), `bench-move-${process.pid}-`));
  const closing: (() => Promise<unknown>)[] = [];
  const children = new Set<ChildProcess>();
  const close = async (): Promise<void> => {
    await Promise.all([...children].map(end));
    for (const step of closing.toReversed())
      await step().catch((error: Error) => console.error(error.message));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const servers = [];
    for (const name of ['old', 'young']) {
      const server = await startPostgres({ dir: join(dir, name) });
      closing.push(() => server.stop());
      servers.push(server);
      await server.createDatabase('bench');
    }
    const urls = servers.map((server) => server.url('bench')) as [string, string];
    const [old, young] = urls.map((url) => openPool(url)) as [pg.Pool, pg.Pool];
    closing.push(
      () => old.end(),
      () => young.end(),
    );
    await old.query(OLD);
    for (const table of ['photos', 'plain']) await old.query(`INSERT INTO ${table} ${SEED}`, [rows]);
    await old.query('VACUUM ANALYZE');
    await young.query(NEW);
    const move = await openMove(photos, { from: urls[0], to: urls[1] });
    closing.push(() => move.close());
    const spawn: Field['spawn'] = (command, args, env = {}) => {
      const child = spawnTethered(command, args, {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
        endSignal: 'SIGKILL',
      });
      // What nobody reads would stop it in the end.
      child.stdout!.resume();
      children.add(child);
      child.once('exit', () => children.delete(child));
      return child;
    };
    const verb = (name: string, ...args: readonly string[]): ChildProcess =>
      spawn(STRANGLER, [
        'move',
        name,
        'photos',
        ...args,
        '--from',
        urls[0],
        '--to',
        urls[1],
        '--moves',
        join(import.meta.dirname, 'moves'),
      ]);
    return {
      rows,
      dir,
      urls,
      old,
      young,
      move,
      spawn,
      runner: () => verb('run'),
      async strangler(name, ...args) {
        const [code] = (await once(verb(name, ...args), 'exit')) as [number | null];
        if (code !== 0) throw new Error(`strangler move ${name} ended with ${code}`);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Kills a process and resolves when it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function openPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 24 });
  pool.on('connect', (client) => void client.on('error', () => undefined));
  pool.on('error', () => undefined);
  return pool;
}
