import { setTimeout as wait } from 'node:timers/promises';
import { startShop, type Shop } from '../support/shop.ts';
import { until } from '../support/until.ts';
import { customer, differences, type Album } from './customers.ts';

/** Who is killed, by what its command line says; `make up` starts each again. */
const VICTIMS = {
  router: 'cli/main.ts serve',
  runner: 'cli/main.ts move run',
  'image-api': 'extracted/image-api/main.ts',
} as const;

export interface PicturesOutcome {
  readonly acked: number;
  readonly failed: number;
  readonly pictures: number;
  readonly kills: Readonly<Record<keyof typeof VICTIMS, number>>;
  /** Each a sentence; of a storm that went well there is none. */
  readonly wrong: readonly string[];
}

/**
 * The whole shop, its pictures moving, customers at the router, and kill -9 of the router, the runner and the service all the time; homes go over, back and over
 * again. `random` decides who is killed next.
 */
export async function picturesStorm(
  seconds: number,
  random: () => number,
  customers = 6,
): Promise<PicturesOutcome> {
  const shop = await startShop({ IMAGE_DATA: 'own' }, 240_000);
  const stop = new AbortController();
  try {
    const cookie = await shop.login();
    await until(async () => (await phaseOf(shop)) === 'ramp', 'all to be copied and verified', 120_000);
    await shop.cli('shift', 'images', '50', '--why', 'a storm');
    const album: Album = { pictures: new Map(), acked: 0, failed: 0, wrong: [] };
    const work = Array.from({ length: customers }, () => customer(shop.url, cookie, stop.signal, album));
    const killed = killAll(shop, random, stop.signal);
    const end = Date.now() + seconds * 1000;
    for (let leg = 0; leg < 3 || Date.now() < end; leg += 1)
      await insist(shop, ...(leg % 2 === 0 ? ['ramp', 'images', '100'] : ['reverse', 'images']));
    stop.abort();
    await Promise.all(work);
    const kills = await killed;
    await insist(shop, 'ramp', 'images', '100');
    await until(async () => (await waitingAt(shop)) === 0, 'all to be sent', 120_000);
    const { code, stdout, stderr } = await shop.cli('move', 'verify', 'images');
    const wrong = [
      ...album.wrong,
      ...(code === 0 ? [] : [`verify: ${stdout}${stderr}`]),
      ...(await differences(shop.imageApiUrl, album)).map((what) => `at its home, ${what}`),
      ...(await differences(shop.monolithUrl, album)).map((what) => `at the monolith, ${what}`),
    ];
    return { acked: album.acked, failed: album.failed, pictures: album.pictures.size, kills, wrong };
  } finally {
    stop.abort();
    await shop.stop();
  }
}

interface Status {
  readonly phase: string;
  readonly waiting: Readonly<Record<string, { readonly rows: number }>>;
}

async function statusOf(shop: Shop): Promise<Status> {
  const { code, stdout, stderr } = await shop.cli('move', 'status', 'images', '--json');
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Status;
}

const phaseOf = async (shop: Shop): Promise<string> => (await statusOf(shop)).phase;
const waitingAt = async (shop: Shop): Promise<number> =>
  Object.values((await statusOf(shop)).waiting).reduce((sum, { rows }) => sum + rows, 0);

/** Again when a command could not bring it about in its time. */
async function insist(shop: Shop, ...args: string[]): Promise<void> {
  let said = '';
  await until(
    async () => {
      const { code, stdout, stderr } = await shop.cli('move', ...args);
      said = stdout + stderr;
      return code === 0;
    },
    () => `move ${args.join(' ')}: ${said}`,
    300_000,
  );
}

async function killAll(
  shop: Shop,
  random: () => number,
  signal: AbortSignal,
): Promise<PicturesOutcome['kills']> {
  const kills = { router: 0, runner: 0, 'image-api': 0 };
  const names = Object.keys(VICTIMS) as (keyof typeof VICTIMS)[];
  while (!signal.aborted) {
    await wait(500 + random() * 2500, undefined, { signal }).catch(() => undefined);
    const name = names[Math.floor(random() * names.length)]!;
    for (const pid of signal.aborted ? [] : shop.pidsOf(VICTIMS[name]))
      try {
        process.kill(pid, 'SIGKILL');
        kills[name] += 1;
      } catch {
        // It has just ended.
      }
  }
  return kills;
}
