import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startShop, type Shop } from '../../test/support/shop.ts';
import { descendantsOf } from '../../tools/processes.ts';
import { quantile, visit, type Visits } from './visits.ts';

/*
 * `make bench-story`: why a service of its own? The storefront is measured through the router at a fixed rate, at rest and while sellers upload without
 * pause: first with the monolith alone, which has the whole machine, then with the images extracted, the service on one core and everything else on the
 * other. All in one run on two cores; ratios are what holds from machine to machine.
 */

const { values } = parseArgs({
  options: {
    rest: { type: 'string', default: '15' },
    storm: { type: 'string', default: '30' },
    rate: { type: 'string', default: '40' },
    sellers: { type: 'string', default: '8' },
  },
});
const rate = Number(values.rate);
/** Seconds that a storm blows before it is measured: queues are full by then. */
const LEAD = 3;
/** How far the storefront may be from its own rest under the storm once the images are extracted. */
const BOUND = 2;
const [SHOP_CORE, SERVICE_CORE] = [0, 1];

interface Row {
  readonly name: string;
  readonly visits: Visits;
  /** Pictures taken a second; null: no storm. */
  readonly taken: number | null;
}

if (cpus().length < 2 || spawnSync('taskset', ['--version']).status !== 0)
  throw new Error('bench-story needs two cores and taskset (Debian: util-linux)');
const before = loadavg()[0]!;
const shop = await startShop({ LOG_LEVEL: 'warn' }, 120_000);
let isMet = false;
try {
  const rows = await story(shop);
  isMet = report(rows);
} finally {
  await shop.stop();
}
process.exit(isMet ? 0 : 1);

async function story(shop: Shop): Promise<Row[]> {
  const cookie = await shop.login();
  const products = ((await (await fetch(`${shop.url}/products`)).json()) as { id: number }[]).map(
    ({ id }) => id,
  );
  // What is hot is compiled, and the pages' pictures are known.
  await visit(shop.url, rate, 5);

  pin(descendantsOf(shop.up.pid!), `${SHOP_CORE},${SERVICE_CORE}`);
  pin([process.pid], String(SHOP_CORE));
  const rows = [await rest('monolith alone, at rest'), await storm('monolith alone, storm of uploads')];

  pin(descendantsOf(shop.up.pid!), String(SHOP_CORE));
  pin(shop.pidsOf('extracted/image-api/main.ts'), String(SERVICE_CORE));
  const shifted = await shop.cli('shift', 'images', '100', '--why', 'the story');
  if (shifted.code !== 0) throw new Error(shifted.stderr);
  await visit(shop.url, rate, 5);
  rows.push(await rest('images extracted, at rest'), await storm('images extracted, storm of uploads'));
  return rows;

  async function rest(name: string): Promise<Row> {
    return { name, visits: await visit(shop.url, rate, Number(values.rest)), taken: null };
  }
  async function storm(name: string): Promise<Row> {
    const args = [shop.url, cookie, products.join(), values.sellers];
    const sellers = fork(join(import.meta.dirname, 'storm.ts'), args);
    pin([sellers.pid!], String(SERVICE_CORE));
    let last = { taken: 0, failed: {} };
    sellers.on('message', (message) => (last = message as typeof last));
    await once(sellers, 'message');
    await visit(shop.url, rate, LEAD);
    const first = last.taken;
    const visits = await visit(shop.url, rate, Number(values.storm));
    const taken = (last.taken - first) / Number(values.storm);
    sellers.kill('SIGKILL');
    await once(sellers, 'exit');
    const failures = Object.entries(last.failed).map(([why, count]) => `${why}: ${String(count)}`);
    if (failures.length > 0) process.stderr.write(`${name}: sellers were refused, ${failures.join(', ')}\n`);
    return { name, visits, taken };
  }
}

/** All threads of these processes, and what they start from now on. */
function pin(pids: readonly number[], cores: string): void {
  for (const pid of pids) spawnSync('taskset', ['-a', '-c', '-p', cores, String(pid)]);
}

/** Prints the table, and says whether the bound was kept. */
function report(rows: readonly Row[]): boolean {
  const [alone, aloneStorm, extracted, extractedStorm] = rows.map(({ visits }) =>
    quantile(visits.latencies, 0.99),
  );
  const lines = rows.map(({ name, visits, taken }) => {
    const [p50, p99] = [0.5, 0.99].map((share) => quantile(visits.latencies, share).toFixed(1));
    return `| ${name} | ${p50} | ${p99} | ${visits.failed} | ${taken === null ? '–' : taken.toFixed(1)} |`;
  });
  const ratio = extractedStorm! / extracted!;
  const isMet = ratio <= BOUND && rows.every(({ visits }) => visits.failed === 0);
  const load = [before, loadavg()[0]!].map((value) => value.toFixed(1));
  process.stdout.write(
    [
      `${cpus()[0]!.model}, 2 cores; ${rate} storefronts/s through the router, ${values.sellers} sellers; load before ${load[0]}, at the end ${load[1]}.`,
      '',
      '| storefront | p50 ms | p99 ms | failed | uploads/s, each read in two sizes |',
      '|---|---|---|---|---|',
      ...lines,
      '',
      `- monolith alone: the storm makes p99 ${(aloneStorm! / alone!).toFixed(1)} × its rest.`,
      `- images extracted: ${ratio.toFixed(1)} × its rest (at most ${BOUND}): ${isMet ? 'met' : 'MISSED'}.`,
      `- under the storm, p99 with the monolith alone is ${(aloneStorm! / extractedStorm!).toFixed(1)} × that with the images extracted.`,
      '',
    ].join('\n'),
  );
  return isMet;
}
