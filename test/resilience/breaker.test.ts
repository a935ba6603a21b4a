import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { Agent } from 'node:http';
import { CANARY, startRouter, type RouterProcess } from '../support/router.ts';
import { until } from '../support/until.ts';
import { ask, end, start, type Answer } from './load.ts';

interface UpstreamJson {
  readonly name: string;
  readonly inFlight: number;
  readonly retries: number;
  readonly instances: readonly { readonly breaker: string; readonly requests: number }[];
}

const WIDTH = 12;
const yaml = (monolith: number, service: number): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "http://127.0.0.1:${monolith}" }, image-api: { url: "http://127.0.0.1:${service}" } }
default: monolith
features:
  images:
    upstream: image-api
    flag: images
    key: [{ header: x-user-id }]
    routes: [{ match: "GET /images/{id}", effect: read }, { match: "POST /images", effect: write }]
`;

describe('the only instance of a service, killed under load', () => {
  const children: ChildProcess[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: WIDTH });
  let router: RouterProcess;
  const upstream = async (...args: string[]): Promise<{ process: ChildProcess; port: number }> => {
    const started = await start('upstream.ts', ...args);
    children.push(started.process);
    return started;
  };
  afterEach(async () => {
    agent.destroy();
    await router?.stop();
    for (const child of children.splice(0)) await end(child);
  });
  /** The service as the admin API shows it. */
  const service = async (): Promise<UpstreamJson> => {
    const { body } = await router.admin('/api/status');
    return (body['upstreams'] as UpstreamJson[]).find(({ name }) => name === 'image-api')!;
  };
  const breaker = async (): Promise<string> => (await service()).instances[0]!.breaker;
  /** How often each write was executed. */
  const counts = async (port: number): Promise<Record<string, number>> =>
    JSON.parse((await ask(port, 'GET', '/counts', agent)).body) as Record<string, number>;

  it('is left alone within 1 s, asked again within 5 s of its return, and costs no read and no second write', async () => {
    const monolith = await upstream('monolith');
    const first = await upstream('service');
    router = await startRouter({
      yaml: yaml(monolith.port, first.port),
      flags: CANARY(100, 'live').replace('"defaultVariant":"monolith"', '"defaultVariant":"image-api"'),
    });
    const port = Number(new URL(router.url).port);
    const reads: Answer[] = [];
    let sent = 0;
    let isOver = false;
    const worker = async (): Promise<void> => {
      while (!isOver) {
        const id = sent++;
        if (id % 5 === 4) await ask(port, 'POST', `/images?id=${id}`, agent);
        else reads.push(await ask(port, 'GET', `/images/${id}`, agent));
      }
    };
    const load = Promise.all(Array.from({ length: WIDTH }, worker));
    const served = (name: string, from = 0): boolean => reads.slice(from).some(({ body }) => body === name);
    await until(() => reads.length > 500, 'some load');
    assert.ok(served('service') && !served('monolith'));
    const executed = await counts(first.port);

    const killed = performance.now();
    first.process.kill('SIGKILL');
    await until(async () => (await breaker()) === 'open', 'the breaker to open');
    const opened = performance.now() - killed;
    // Down for so long that the pauses between probes have grown to their longest: two probes have failed.
    await until(async () => (await service()).inFlight === 0, 'what was under way to end');
    const { requests } = (await service()).instances[0]!;
    await until(async () => (await service()).instances[0]!.requests >= requests + 2, 'two probes');
    const down = reads.length;

    const second = await upstream('service', String(first.port));
    const returned = performance.now();
    await until(async () => (await breaker()) === 'closed', 'the breaker to close');
    const closed = performance.now() - returned;
    await until(() => served('service', down), 'the service to answer again');
    isOver = true;
    await load;

    assert.ok(opened < 1000, `open after ${opened.toFixed(0)} ms`);
    assert.ok(closed < 5000, `closed again after ${closed.toFixed(0)} ms`);
    assert.deepEqual(
      reads.filter(({ status }) => status !== 200),
      [],
    );
    for (const [id, count] of [
      ...Object.entries(await counts(second.port)),
      ...Object.entries(await counts(monolith.port)),
    ])
      executed[id] = (executed[id] ?? 0) + count;
    assert.equal(Math.max(...Object.values(executed)), 1);
    const { retries, instances } = await service();
    assert.ok(retries <= instances[0]!.requests / 10, `${retries} retries`);
  }).timeout(60_000);
});
