import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fixedRate } from '../../bench/load.ts';
import { WORKLOADS } from '../../bench/workloads.ts';
import { end, start } from '../resilience/load.ts';
import { CANARY, startRouter, type RouterProcess } from '../support/router.ts';
import { parityOf, shadowedConfig } from '../support/shadowed.ts';

const ROUNDS = 5;
/** Requests a second, and seconds a round. */
const RATE = 500;
const SECONDS = 3;

/** Runs a process, all its threads, on one core (sched_setaffinity(2)). */
function pin(pid: number, core: number): void {
  assert.equal(
    spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)]).status,
    0,
    'taskset failed',
  );
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/**
 * What shadowing costs those who wait for their answers. The router and its primary on one core, the shadow and the load on the other; rounds with
 * and without are interleaved, so what disturbs the machine disturbs both.
 */
describe('the latency of the primary under a shadow', function () {
  this.timeout(300_000);
  let router: RouterProcess;
  let monolith: Awaited<ReturnType<typeof start>>;
  let service: Awaited<ReturnType<typeof start>>;
  beforeEach(async () => {
    monolith = await start('upstream.ts', 'same');
    service = await start('upstream.ts', 'same');
    pin(monolith.process.pid!, 0);
    pin(service.process.pid!, 1);
    pin(process.pid, 1);
  });
  afterEach(async () => {
    await router?.stop();
    await end(monolith.process);
    await end(service.process);
  });

  for (const sample of ['10%', '100%'])
    it(`has a p99 within 25 % or 2 ms of that without, at a sample of ${sample}`, async () => {
      router = await startRouter({
        yaml: shadowedConfig(
          `http://127.0.0.1:${monolith.port}`,
          `http://127.0.0.1:${service.port}`,
          `{ sample: ${sample} }`,
        ),
        flags: CANARY(0, 'off'),
      });
      pin(router.child.pid!, 0);
      const port = Number(new URL(router.url).port);
      const workload = WORKLOADS[1]!;
      const p99 = async (): Promise<number> => {
        const latencies = await fixedRate(workload, port, RATE, SECONDS);
        return latencies[Math.floor(latencies.length * 0.99)]!;
      };
      const set = async (path: string, body = {}): Promise<void> =>
        assert.equal((await router.change(path, body)).status, 200);
      // Both ways once, for the compilers.
      const warm = (): Promise<unknown> => fixedRate(workload, port, RATE / 5, SECONDS);
      await warm();
      await set('/images/promote');
      await warm();
      await set('/images/rollback', { to: 'off' });
      const off: number[] = [];
      const on: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        off.push(await p99());
        await set('/images/promote');
        on.push(await p99());
        await set('/images/rollback', { to: 'off' });
      }
      const { counts, dropped } = await parityOf(router);
      const told = `p99 ${median(on).toFixed(2)} ms with, ${median(off).toFixed(2)} ms without; ${JSON.stringify({ ...counts, dropped })}`;
      console.log(`      ${told}`);
      assert.ok(counts.match > 0 && counts.mismatch === 0, told);
      assert.ok(median(on) <= Math.max(median(off) * 1.25, median(off) + 2), told);
    });
});
