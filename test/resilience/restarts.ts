import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { descendantsOf, freePorts } from '../../tools/processes.ts';
import { startRouter, type RouterProcess } from '../support/router.ts';
import { until } from '../support/until.ts';
import { ask, end, start } from './load.ts';
import { steadyLoad, type SteadyLoad, type Tally } from './steady-load.ts';

/** Clients that open a connection for each request. */
const FRESH = 4;

/** The ways to restart a router, `count` times each under load: no connection may be refused, no request fail, no POST be executed twice. */
export function restarts(count: number): void {
  let upstream: { process: ChildProcess; port: number };
  let dir: string;
  let ports: { traffic: number; admin: number };
  const running: RouterProcess[] = [];
  let load: SteadyLoad | undefined;
  beforeEach(async () => {
    upstream = await start('upstream.ts', 'monolith');
    dir = mkdtempSync(join(tmpdir(), 'restart-'));
    const [traffic, admin] = await freePorts(2);
    ports = { traffic: traffic!, admin: admin! };
  });
  afterEach(async () => {
    await load?.stop();
    for (const router of running.splice(0)) if (router.child.exitCode === null) await router.kill('SIGTERM');
    await end(upstream.process);
    rmSync(dir, { recursive: true });
  });

  const router = async (workers: number, drain: string): Promise<RouterProcess> => {
    const started = await startRouter({
      dir,
      flags: '{"flags":{}}',
      yaml: `listen: 127.0.0.1:${ports.traffic}
admin: { listen: 127.0.0.1:${ports.admin} }
workers: ${workers}
flags: { file: flags.json }
drain: ${drain}
upstreams: { monolith: { url: "http://127.0.0.1:${upstream.port}" } }
default: monolith
`,
    });
    running.push(started);
    return started;
  };
  const outcome = async ({ failures, posted, connections }: Tally): Promise<void> => {
    assert.deepEqual(failures.slice(0, 5), [], `${failures.length} failed`);
    const agent = new Agent();
    const { body } = await ask(upstream.port, 'GET', '/counts', agent);
    const executed = JSON.parse(body) as Record<string, number>;
    assert.deepEqual(
      posted.filter((id) => executed[id] !== 1),
      [],
      'each POST was executed once',
    );
    assert.ok(posted.length > 100 && connections > 100, `${posted.length} POSTs, ${connections} connections`);
  };
  const times = (what: string, text: string): number => text.split(what).length - 1;

  for (const workers of [1, 2])
    it(`by SIGUSR2, with workers: ${workers}`, async () => {
      const one = await router(workers, '{ deadline: 5s }');
      load = steadyLoad(ports.traffic, { fresh: FRESH });
      for (let round = 1; round <= count; round++) {
        const from = load.answered();
        const before = descendantsOf(one.child.pid!);
        one.child.kill('SIGUSR2');
        await until(
          () => times('"the router was replaced"', one.output()) === round,
          `the replacement ${round}`,
          30_000,
        );
        await until(
          () => !descendantsOf(one.child.pid!).some((pid) => before.includes(pid)),
          'the processes before to end',
          30_000,
        );
        await until(() => load!.answered() > from + 200, 'some load', 30_000);
        // The first time, one process closes a socket of its own, as below.
        const failures: string[] = load.failures().filter((failure) => workers > 1 || isNoReset(failure));
        assert.deepEqual(failures.slice(0, 5), [], `in round ${round}`);
      }
      assert.equal((await one.admin('/api/status')).status, 200);
      const tally = await load.stop();
      // That is one moment, in which each client with fresh connections may be caught.
      assert.ok(tally.failures.length <= (workers === 1 ? FRESH : 0), tally.failures.join());
      await outcome({ ...tally, failures: [] });
      const left = descendantsOf(one.child.pid!);
      assert.equal(await one.kill('SIGTERM'), 0);
      assert.deepEqual(
        left.filter((pid) => existsSync(`/proc/${pid}`)),
        [],
        'no process is left',
      );
    }).timeout(60_000 + count * 20_000);

  for (const workers of [1, 2])
    it(`by starting the next one and then ending the one before, with workers: ${workers}`, async () => {
      let old = await router(workers, '{ deadline: 20s }');
      load = steadyLoad(ports.traffic, { fresh: FRESH });
      for (let round = 1; round <= count; round++) {
        const from = load.answered();
        const starting = router(workers, '{ deadline: 20s }');
        // It carries traffic before it has the admin port.
        const before = [old.child.pid!, ...descendantsOf(old.child.pid!)];
        await until(
          () => listeners(dir).filter((pid) => !before.includes(pid)).length === workers,
          'the next one to listen',
          30_000,
        );
        const ended = old.kill('SIGTERM');
        old = await starting;
        assert.equal(await ended, 0);
        await until(() => load!.answered() > from + 200, 'some load', 30_000);
        assert.deepEqual(load.failures().filter(isNoReset).slice(0, 5), [], `in round ${round}`);
      }
      const tally = await load.stop();
      // The kernel resets who came in the microseconds between the last look and the close; SIGUSR2 is the way without.
      assert.ok(tally.failures.length <= FRESH * workers * count, tally.failures.join());
      await outcome({ ...tally, failures: [] });
    }).timeout(60_000 + count * 20_000);
}

/** A reset says `read ECONNRESET`, or `connect ECONNRESET` with the address after it, depending on how far the connection was. */
function isNoReset(failure: string): boolean {
  return !failure.includes('ECONNRESET');
}

/** Processes that accept connections, by what the state folder says. */
function listeners(dir: string): number[] {
  return readdirSync(join(dir, '.data/listeners')).map(Number).filter(Boolean);
}
