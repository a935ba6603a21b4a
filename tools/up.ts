import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { migrate } from '../migrations/migrate.ts';
import { openRegistry, registrySettings } from '../monolith/registry.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { printLine, printWelcome } from './up/console.ts';
import { copyFlags } from './up/flags.ts';
import { imageDataOf, leavePlaces, prepareOwnData, type ImageData } from './up/image-data.ts';
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
  if (settings.blobNote !== null) say(settings.blobNote);
  mkdirSync(settings.dataDir, { recursive: true });
  const server = settings.databaseUrl ? null : await openPostgres(settings, running);
  const shopUrl = settings.databaseUrl ?? server!.url('shop');
  step();
  const smtpUrl = settings.smtpUrl ?? (await openMail(settings, running));

  for (const set of ['monolith', 'image-api', 'email-api'] as const)
    for (const name of await migrate({ url: shopUrl, set })) say(`migrated ${set}/${name}`);
  step();
  await seedShop(shopUrl, settings.blobDir);
  copyFlags(join(settings.root, 'flags.json'), join(settings.dataDir, 'flags.json'));

  const data = await imageDataOf(shopUrl, settings.imageData);
  const databases = await openDatabases(settings, data, shopUrl, server);
  for (const service of servicesOf(settings, databases, data, smtpUrl)) {
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
  printWelcome(settings, data);
}

async function openPostgres({ dataDir }: Settings, running: AsyncDisposableStack): Promise<Postgres> {
  const postgres = await startPostgres({
    dir: join(dataDir, 'postgres'),
    // What it logs of its normal life is of no interest here.
    log: (line) => / LOG: /.test(line) || printLine('postgres', line),
  });
  running.defer(() => postgres.stop());
  await postgres.createDatabase('shop');
  return postgres;
}

/** The databases as the data wants them. `server`: the embedded one, if the shop's is there. */
async function openDatabases(
  settings: Settings,
  data: ImageData,
  shopUrl: string,
  server: Postgres | null,
): Promise<Databases> {
  const given = settings.imageDatabaseUrl;
  const emailApi = settings.emailDatabaseUrl ?? server?.url('shop', 'email_api') ?? shopUrl;
  const others = { monolith: shopUrl, emailApi };
  if (server) leavePlaces(settings, emailApi, null);
  if (data === 'shared')
    return { ...others, imageApi: given ?? server?.url('shop', 'image_api') ?? shopUrl, own: null };
  if (!given && !server)
    throw new Error(
      "set IMAGE_DATABASE_URL to the image-api's own database: its pictures are not in the shop's",
    );
  if (!given) await server!.createDatabase('pictures');
  const own = given ?? server!.url('pictures');
  for (const name of await prepareOwnData(data, shopUrl, own, settings))
    say(`migrated image-api-own/${name}`);
  if (server && !given) leavePlaces(settings, emailApi, { shop: shopUrl, own });
  return { ...others, imageApi: given ?? server!.url('pictures', 'image_api'), own };
}

async function openMail({ dataDir, ports }: Settings, running: AsyncDisposableStack): Promise<string> {
  const mail = await startMailCatcher({ dir: join(dataDir, 'mail'), port: ports.SMTP_PORT });
  running.defer(() => mail.close());
  // Without ETCD_URLS nobody is told. With it, SMTP_URL=etcd:smtp finds the catcher in any process, on any machine.
  const { etcdUrls } = registrySettings(process.env);
  const registry = openRegistry({ etcdUrls, name: null, url: null }, { info: () => {}, warn: () => {} });
  registry.join('smtp', `smtp://127.0.0.1:${mail.port}`);
  running.defer(() => registry.leave());
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
