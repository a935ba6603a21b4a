import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate, type MigrationSet } from '../../migrations/migrate.ts';
import { startPostgres, type Postgres } from '../../tools/postgres.ts';

export interface TestDatabase {
  readonly url: string;
  /** The same database as another role. */
  urlFor(user: string): string;
  drop(): Promise<void>;
}

let server: Promise<{ postgres: Postgres; dir: string }> | null = null;
let count = 0;

/** A fresh database on the one server of this test run, which starts with the first that is asked for. */
export async function testDatabase({
  migrate: sets = [],
}: { migrate?: readonly MigrationSet[] } = {}): Promise<TestDatabase> {
  server ??= (async () => {
    removeLeftovers();
    const dir = mkdtempSync(join(tmpdir(), `strangler-test-${process.pid}-`));
    return { dir, postgres: await startPostgres({ dir, durable: false }) };
  })();
  const { postgres } = await server;
  const name = `test_${process.pid}_${++count}`;
  await postgres.createDatabase(name);
  for (const set of sets) await migrate({ url: postgres.url(name), set });
  return {
    url: postgres.url(name),
    urlFor: (user) => postgres.url(name, user),
    async drop() {
      const client = new pg.Client({ connectionString: postgres.url('postgres') });
      await client.connect();
      await client.query(`DROP DATABASE ${client.escapeIdentifier(name)} WITH (FORCE)`);
      await client.end();
    },
  };
}

/** Connections to a test's database. */
export function testPool(connectionString: string, max = 10): pg.Pool {
  const pool = new pg.Pool({ connectionString, max });
  // A pool has ended before the server has closed its connections: what `drop` still tells those is news to nobody. Queries fail by their promise.
  pool.on('connect', (client) => void client.on('error', () => undefined));
  pool.on('error', () => undefined);
  return pool;
}

/** Called once by mocha after everything (see .mocharc.json); a mocha that is killed takes the server with it. */
export async function stopTestServer(): Promise<void> {
  if (!server) return;
  const { postgres, dir } = await server;
  server = null;
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
}

/** Folders of test runs that were killed: their servers died with them, their data did not. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = /^strangler-test-(\d+)-/.exec(name) ?? [];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const folder = join(tmpdir(), name);
    if (lstatSync(folder, { throwIfNoEntry: false })?.uid === process.getuid!())
      rmSync(folder, { recursive: true, force: true });
  }
}
