import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { end, start } from '../resilience/load.ts';
import { CANARY, startRouter, type RouterProcess } from '../support/router.ts';

/** What the upstream takes at once, and how long each takes, in milliseconds: 400 a second. */
const IN_FLIGHT = 16;
const ANSWER = 40;

interface Offered {
  good: number;
  /** How long each refusal took, in milliseconds. */
  readonly refusals: number[];
  other: number;
}

const yaml = (url: string): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${url}", maxInFlight: ${IN_FLIGHT} }, image-api: { url: "${url}" } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ header: x-user-id }], routes: [{ match: "GET /images/{id}", effect: read }] }
`;

describe('the router under more than it can take', function () {
  this.timeout(120_000);
  let upstream: Awaited<ReturnType<typeof start>>;
  let router: RouterProcess;
  before(async () => {
    upstream = await start('fixed-capacity.ts', String(IN_FLIGHT), String(ANSWER));
    router = await startRouter({
      yaml: yaml(`http://127.0.0.1:${upstream.port}`),
      flags: CANARY(0),
      env: { LOG_LEVEL: 'info' },
    });
  });
  after(async () => {
    await router?.stop();
    if (upstream) await end(upstream.process);
  });

  const percentile = (values: readonly number[], share: number): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!;

  it('keeps its goodput at three times the load, refuses the rest at once, and stays in reach', async () => {
    const agent = new Agent({ connections: 512 });
    const ask = async (result: Offered): Promise<void> => {
      const at = performance.now();
      const { statusCode, headers, body } = await request(`${router.url}/`, { dispatcher: agent });
      await body.dump();
      if (statusCode === 200) result.good += 1;
      else if (statusCode === 503 && headers['retry-after'] !== undefined)
        result.refusals.push(performance.now() - at);
      else result.other += 1;
    };
    /** As many at once as the upstream takes, each asking again when it is answered: all that it can do, undisturbed. */
    const undisturbed = async (seconds: number): Promise<Offered> => {
      const result: Offered = { good: 0, refusals: [], other: 0 };
      const end = performance.now() + seconds * 1000;
      const worker = async (): Promise<void> => {
        while (performance.now() < end) await ask(result);
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
      return result;
    };
    /** So many a second, whatever becomes of them. */
    const offer = async (perSecond: number, seconds: number): Promise<Offered> => {
      const result: Offered = { good: 0, refusals: [], other: 0 };
      const all: Promise<void>[] = [];
      const start = performance.now();
      while (all.length < perSecond * seconds) {
        const due = Math.min(perSecond * seconds, ((performance.now() - start) / 1000) * perSecond);
        while (all.length < due) all.push(ask(result));
        await wait(1);
      }
      await Promise.all(all);
      return result;
    };
    // Connections are opened before anything is measured.
    await offer((3 * IN_FLIGHT * 1000) / ANSWER, 1);
    const admin: number[] = [];
    let isOver = false;
    const asking = (async () => {
      while (!isOver) {
        const at = performance.now();
        await router.admin('/api/status');
        admin.push(performance.now() - at);
        await wait(50);
      }
    })();
    const normal = (await undisturbed(5)).good / 5;
    const overloaded = await offer(3 * normal, 5);
    isOver = true;
    await asking;
    await agent.close();
    const goodput = overloaded.good / 5;
    const refusal = percentile(overloaded.refusals, 0.99);
    const reach = percentile(admin, 0.99);
    console.log(
      `      ${goodput} a second of ${normal} undisturbed (${((100 * goodput) / normal).toFixed(1)} %); p99 of ` +
        `${overloaded.refusals.length} refusals ${refusal.toFixed(1)} ms, of the admin port ${reach.toFixed(1)} ms`,
    );
    assert.equal(overloaded.other, 0);
    assert.ok(goodput >= 0.9 * normal, `${goodput} a second under overload, ${normal} without`);
    assert.ok(refusal < 50, `a refusal took ${refusal.toFixed(1)} ms`);
    assert.ok(reach < 200, `the admin port took ${reach.toFixed(1)} ms`);
  });
});
