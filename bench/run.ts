import type { ChildProcess } from 'node:child_process';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as wait } from 'node:timers/promises';
import { CONTESTANTS, startUpstreams, type Contestant, type Ground } from './contestants.ts';
import { closedLoop, fixedRate, type Round } from './load.ts';
import { median, report, type Measured } from './report.ts';
import { WORKLOADS } from './workloads.ts';

/*
 * `make bench`: everybody under the same load in one run, in interleaved rounds, one core for the proxy and one for load and upstreams. What is
 * compared is CPU per request, from /proc; latency is measured apart, at a fixed rate. Single rounds are noisy, so medians count.
 */

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    workload: { type: 'string' },
    'no-report': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const wanted = values.only?.split(',');
const contestants = CONTESTANTS.filter(({ name }) => !wanted || wanted.includes(name));
const workloads = WORKLOADS.filter(({ name }) => !values.workload || name.includes(values.workload));
const CORE = 0;
const RATE = 500;
/** Seconds until V8 has compiled what is hot: the last of it takes some four. */
const WARM_UP = 5;
/** Seconds at the beginning of each round that are not measured. */
const LEAD = 1;

ensurePrograms();
const dir = mkdtempSync(join(tmpdir(), 'bench-'));
const running: ChildProcess[] = [];
try {
  const [monolith, service] = [await freePort(), await freePort()];
  const ground: Ground = { dir, monolith, service, core: CORE };
  running.push(startUpstreams(ground));
  const started: { contestant: Contestant; port: number; pid: number }[] = [];
  for (const contestant of contestants) {
    const port = await freePort();
    const child = contestant.start(ground, port);
    running.push(child);
    await untilServing(port, contestant.name);
    started.push({ contestant, port, pid: child.pid! });
  }
  const measured: Measured[] = [];
  for (const workload of workloads) {
    const results = new Map<string, Round[]>(contestants.map(({ name }) => [name, []]));
    for (let round = -1; round < rounds; round++) {
      for (const { contestant, port, pid } of started) {
        // A proxy at work has its code and data in the caches, which the others have filled meanwhile.
        await closedLoop(workload, pid, port, 1 - CORE, round === -1 ? WARM_UP : LEAD, dir);
        const result = await closedLoop(workload, pid, port, 1 - CORE, seconds, dir);
        // The first round warms up: compilers, pools.
        if (round >= 0) results.get(contestant.name)!.push(result);
      }
      process.stderr.write(`${workload.name}: round ${round + 1} of ${rounds}\n`);
    }
    const latencies = new Map<string, { p50: number; p99: number }[]>(
      contestants.map(({ name }) => [name, []]),
    );
    for (let round = 0; round < 3 && workload.body === 0; round++) {
      for (const { contestant, port } of started.filter((each) => each.contestant.hasPolicy)) {
        const sorted = await fixedRate(workload, port, RATE, 2);
        latencies.get(contestant.name)!.push({
          p50: sorted[Math.floor(sorted.length / 2)]!,
          p99: sorted[Math.floor(sorted.length * 0.99)]!,
        });
      }
    }
    for (const { name } of contestants) {
      const own = results.get(name)!;
      const late = latencies.get(name)!;
      const ratios = own.map(
        (round, index) => round.cpu / (results.get('nginx')?.[index]?.cpu ?? Number.NaN),
      );
      measured.push({
        workload: workload.name,
        contestant: name,
        cpu: median(own.map((round) => round.cpu)),
        ratio: median(ratios),
        lowest: Math.min(...ratios),
        highest: Math.max(...ratios),
        p50: median(late.map((each) => each.p50)),
        p99: median(late.map((each) => each.p99)),
      });
    }
  }
  const text = report(measured, { rounds, seconds, rate: RATE, cpu: cpus()[0]!.model, versions: versions() });
  process.stdout.write(`${text}\n`);
  if (!values['no-report']) {
    const page = join(import.meta.dirname, 'README.md');
    const [head] = readFileSync(page, 'utf8').split('<!-- measured -->');
    writeFileSync(page, `${head}<!-- measured -->\n\n${text}\n`);
  }
} finally {
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(
    running.map((child) =>
      child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null,
    ),
  );
  rmSync(dir, { recursive: true, force: true });
}

function ensurePrograms(): void {
  const missing = [
    ['nginx', 'nginx-light'],
    ['haproxy', 'haproxy'],
    ['wrk', 'wrk'],
    ['taskset', 'util-linux'],
  ].filter(
    ([program]) =>
      !['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin'].some((folder) =>
        existsSync(join(folder, program!)),
      ),
  );
  if (missing.length === 0) return;
  const packages = missing.map(([, name]) => name!);
  const result =
    process.getuid!() === 0
      ? spawnSync(
          'sh',
          [
            '-c',
            `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${packages.join(' ')}`,
          ],
          { stdio: ['ignore', 'ignore', 'inherit'] },
        )
      : null;
  if (result?.status === 0) return;
  process.stderr.write(
    `the benchmark needs ${packages.join(', ')}: install them (as root: apt-get install ${packages.join(' ')})\n`,
  );
  process.exit(1);
}

function versions(): string {
  const first = (command: string, ...args: string[]): string => {
    const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    return (stdout || stderr)
      .split('\n')[0]!
      .replace('nginx version: ', '')
      .replace(/ \d{4}\/.*$/, '');
  };
  return [first('nginx', '-v'), first('haproxy', '-v'), `Node ${process.version}`].join(', ');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilServing(port: number, name: string): Promise<void> {
  for (const end = Date.now() + 20_000; ; await wait(50)) {
    const answer = await fetch(`http://127.0.0.1:${port}/images/1`).catch(() => null);
    if (answer?.status === 200) return;
    if (Date.now() > end) throw new Error(`${name} does not serve`);
  }
}
