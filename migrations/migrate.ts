import { createHash } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { lineAt, statementsOf, transactionControl, type Statement } from './statements.ts';

/** A folder under sql/. */
export type MigrationSet = 'monolith' | 'image-api' | 'image-api-own' | 'email-api' | 'reviews-api' | 'move';

export interface MigrateOptions {
  readonly url: string;
  readonly set: MigrationSet;
  readonly log?: (line: string) => void;
  /** Milliseconds a statement may wait for a lock before the file is given up. Default 10 s: a migration that queues behind a long transaction makes everybody queue behind itself. */
  readonly lockTimeout?: number;
  /** Milliseconds one statement may take. Default 0: no limit, as filling a new column of a large table takes what it takes. */
  readonly statementTimeout?: number;
  /** Folder of the sets; for tests. */
  readonly folder?: string;
}

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly statements: readonly Statement[];
  readonly sha256: string;
}

/** Advisory lock of all runners: "strangler" as a 64-bit number. */
const LOCK = 8318823012450329202n;

/**
 * Applies the numbered SQL files of a set that the database does not have yet, in order, each in a transaction of its own together with the row
 * that remembers it. Safe to run from several machines at once: a runner waits for the one before it, so each file runs once. Answers the names applied now.
 *
 * Throws, before anything is applied, when a file that was applied has changed since, when the database knows files that this code does
 * not (it is newer), or when numbers repeat or leave gaps; and when a file fails, with its name and line, nothing of it applied.
 */
export async function migrate({
  url,
  set,
  log = () => {},
  lockTimeout = 10_000,
  statementTimeout = 0,
  folder = join(import.meta.dirname, 'sql'),
}: MigrateOptions): Promise<string[]> {
  const migrations = readMigrations(join(folder, set), set);
  const client = new pg.Client({ connectionString: url, application_name: 'strangler-migrate' });
  // Without a listener, a server that goes away between two queries would end the process.
  client.on('error', () => {});
  await client.connect().catch((error: Error) => {
    throw new Error(`${set}: can't reach the database: ${error.message}`, { cause: error });
  });
  try {
    await client.query(`SELECT pg_advisory_lock(${LOCK})`);
    await client.query(`
      CREATE SCHEMA IF NOT EXISTS strangler;
      CREATE TABLE IF NOT EXISTS strangler.migrations (
        set text NOT NULL, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (set, name))`);
    const { rows } = await client.query<{ name: string; sha256: string }>(
      'SELECT name, sha256 FROM strangler.migrations WHERE set = $1 ORDER BY name',
      [set],
    );
    const pending = pendingAfter(set, migrations, rows);
    for (const migration of pending) {
      log(`applying ${set}/${migration.name}`);
      await apply(client, set, migration, { lockTimeout, statementTimeout });
    }
    return pending.map(({ name }) => name);
  } finally {
    // Ending the connection releases the lock, whatever state it is in.
    await client.end();
  }
}

function readMigrations(folder: string, set: string): Migration[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .toSorted();
  names.forEach((name, index) => {
    const expected = String(index + 1).padStart(6, '0');
    if (!name.startsWith(`${expected}_`))
      throw new Error(
        `${set}/${name}: its number should be ${expected}; numbers neither repeat nor leave gaps, because two branches that took the same one must meet`,
      );
  });
  return names.map((name) => {
    // A checkout with other line ends is the same migration.
    const sql = readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n');
    const statements = statementsOf(sql);
    const control = transactionControl(statements);
    if (control)
      throw new Error(
        `${set}/${name}:${control.line}: ${control.text} would tear the file apart: every file runs in one transaction, so leave it out`,
      );
    return { name, sql, statements, sha256: createHash('sha256').update(sql).digest('hex') };
  });
}

function pendingAfter(
  set: string,
  migrations: readonly Migration[],
  applied: readonly { name: string; sha256: string }[],
): Migration[] {
  applied.forEach(({ name, sha256 }, index) => {
    const here = migrations[index];
    if (here?.name !== name)
      throw new Error(
        `${set}/${name} was applied to this database, but this version does not have it; run the newer version, or restore the file`,
      );
    if (here.sha256 !== sha256)
      throw new Error(
        `${set}/${name} has changed since it was applied; restore it, and write the change as a new file`,
      );
  });
  return migrations.slice(applied.length);
}

async function apply(
  client: pg.Client,
  set: string,
  { name, sql, statements, sha256 }: Migration,
  { lockTimeout, statementTimeout }: { lockTimeout: number; statementTimeout: number },
): Promise<void> {
  const done = countCompleted(client);
  try {
    await client.query('BEGIN');
    await client.query(`SET LOCAL lock_timeout = ${Math.trunc(lockTimeout)}`);
    await client.query(`SET LOCAL statement_timeout = ${Math.trunc(statementTimeout)}`);
    done.reset();
    await client.query(sql);
    // A file may SET and SET ROLE for itself; the row is ours, and the next file starts afresh. (DISCARD ALL would give the lock away.)
    await client.query('RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL');
    await client.query('INSERT INTO strangler.migrations (set, name, sha256) VALUES ($1, $2, $3)', [
      set,
      name,
      sha256,
    ]);
    await client.query('COMMIT');
  } catch (error) {
    const completed = done.count();
    await client.query('ROLLBACK').catch(() => {});
    const { message, detail, hint, position } = error as pg.DatabaseError;
    // The server names a place only for what it could not parse or resolve; otherwise it is the statement after the last completed.
    const line = position ? lineAt(sql, Number(position) - 1) : statements[completed]?.line;
    const more = [detail, hint].filter(Boolean).join(' ');
    throw new Error(
      `${set}/${name}${line ? `:${line}` : ''}: ${message}${more ? ` (${more})` : ''}; nothing of this file was applied`,
      { cause: error },
    );
  } finally {
    done.end();
  }
}

/** Counts the statements the server reports as completed; the driver tells only of those of a query that succeeds as a whole. */
function countCompleted(client: pg.Client): { reset(): void; count(): number; end(): void } {
  const { connection } = client as unknown as { connection: EventEmitter };
  let completed = 0;
  const count = (): void => void (completed += 1);
  connection.on('commandComplete', count);
  return {
    reset: () => void (completed = 0),
    count: () => completed,
    end: () => void connection.off('commandComplete', count),
  };
}
