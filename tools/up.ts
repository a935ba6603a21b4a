import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { migrate } from '../migrations/migrate.ts';
import { startPostgres } from './postgres.ts';
import { printLine, printWelcome } from './up/console.ts';
import { copyFlags } from './up/flags.ts';
import { startMailCatcher } from './up/mail-catcher.ts';
import { ignoresHangup, watchMake } from './up/parent.ts';
import { servicesOf, type Databases } from './up/services.ts';
import { readSettings, refuseTakenPorts, type Settings } from './up/settings.ts';
import { supervise } from './up/supervise.ts';

/*
 * `make up`: settings → free ports → Postgres → mail → migrate → seed → flags → services, each when the one before is ready → what to open.
 * Whatever was started is put on one stack; a signal, or a fault on the way up, takes it down from the top: router, services, mail, Postgres.
 */

const ROOT = resolve(import.meta.dirname, '..');
const say = (line: string): void => printLine('up', line);

const stopping = new AbortController();
const hurry = new AbortController();

async function up(settings: Settings, running: AsyncDisposableStack): Promise<void> {
  const step = (): void => stopping.signal.throwIfAborted();
  await refuseTakenPorts(settings);
  mkdirSync(settings.dataDir, { recursive: true });
  const databases = await openDatabases(settings, running);
  step();
  const smtpUrl = settings.smtpUrl ?? (await openMail(settings, running));

  for (const set of ['monolith', 'image-api'] as const)
    for (const name of await migrate({ url: databases.monolith, set })) say(`migrated ${set}/${name}`);
  step();
  await seedShop(databases.monolith, settings.blobDir);
  copyFlags(join(settings.root, 'flags.json'), join(settings.dataDir, 'flags.json'));

  for (const service of servicesOf(settings, databases, smtpUrl)) {
    step();
    say(`starting ${service.name}`);
    const supervised = await supervise(service, {
      log: printLine,
      cancel: stopping.signal,
      hurry: hurry.signal,
    });
    running.defer(() => supervised.stop());
  }
  step();
  printWelcome(settings);
}

async function openDatabases(settings: Settings, running: AsyncDisposableStack): Promise<Databases> {
  const { databaseUrl, imageDatabaseUrl, dataDir } = settings;
  if (databaseUrl) return { monolith: databaseUrl, imageApi: imageDatabaseUrl ?? databaseUrl };
  const postgres = await startPostgres({
    dir: join(dataDir, 'postgres'),
    // What it logs of its normal life is of no interest here.
    log: (line) => / LOG: /.test(line) || printLine('postgres', line),
  });
  running.defer(() => postgres.stop());
  await postgres.createDatabase('shop');
  return { monolith: postgres.url('shop'), imageApi: imageDatabaseUrl ?? postgres.url('shop', 'image_api') };
}

async function openMail({ dataDir, ports }: Settings, running: AsyncDisposableStack): Promise<string> {
  const mail = await startMailCatcher({ dir: join(dataDir, 'mail'), port: ports.SMTP_PORT });
  running.defer(() => mail.close());
  return `smtp://127.0.0.1:${mail.port}`;
}

async function seedShop(url: string, blobDir: string): Promise<void> {
  const { seed } = await import('../monolith/seed.ts');
  const pool = new pg.Pool({ connectionString: url });
  try {
    await seed(pool, blobDir);
  } finally {
    await pool.end();
  }
}

function stop(): void {
  if (stopping.signal.aborted) hurry.abort();
  else {
    say('stopping (once more: at once)');
    stopping.abort();
  }
}

let exitCode = 0;
{
  await using running = new AsyncDisposableStack();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  // nohup means it: who ignores the end of the terminal goes on.
  if (!ignoresHangup()) process.on('SIGHUP', stop);
  if (process.argv.includes('--under-make')) watchMake(() => stopping.signal.aborted || stop());
  try {
    await up(readSettings(process.env, ROOT), running);
    await new Promise((done) => stopping.signal.addEventListener('abort', done));
  } catch (error) {
    if (!stopping.signal.aborted) {
      for (const line of (error as Error).message.split('\n')) say(line);
      exitCode = 1;
    }
  }
}
process.exit(exitCode);
