import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { until } from '../support/until.ts';

const IN_FLIGHT = 8;
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
  let upstream: Upstream;
  let router: RouterProcess;
  beforeEach(async () => {
    upstream = await startUpstream('monolith');
    router = await startRouter({ yaml: yaml(upstream.url), flags: CANARY(0), env: { LOG_LEVEL: 'info' } });
  });
  afterEach(async () => {
    await router?.stop();
    await upstream?.close();
  });

  const percentile = (values: readonly number[], share: number): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length * share)]!;

  it('serves a good client among 1,000 slow ones, and cuts each of those within 15 s', async () => {
    const agent = new Agent({ connections: 1 });
    const latencies = async (count: number): Promise<number[]> => {
      const all: number[] = [];
      for (let n = 0; n < count; n++) {
        const start = performance.now();
        const { body, statusCode } = await request(`${router.url}/`, { dispatcher: agent });
        await body.dump();
        assert.equal(statusCode, 200);
        all.push(performance.now() - start);
      }
      return all;
    };
    await latencies(500);
    const idle = percentile(await latencies(1000), 0.99);
    const port = Number(new URL(router.url).port);
    const lives: number[] = [];
    const slow = await Promise.all(
      Array.from({ length: 1000 }, async (): Promise<Socket> => {
        const socket = connect({ port, host: '127.0.0.1' });
        socket.on('error', () => {});
        await once(socket, 'connect');
        const opened = performance.now();
        socket.write('GET / HTTP/1.1\r\nHost: sh');
        const dripping = setInterval(() => socket.write('o'), 5000);
        // What the router says at the end has to be read, or the end is never seen.
        socket.resume().once('close', () => {
          clearInterval(dripping);
          lives.push(performance.now() - opened);
        });
        return socket;
      }),
    );
    const busy = percentile(await latencies(1000), 0.99);
    await until(
      () => lives.length === slow.length,
      () => `${slow.length - lives.length} slow clients to be cut`,
      20_000,
    );
    await agent.close();
    assert.ok(Math.max(...lives) <= 15_000, `the longest lived ${Math.max(...lives)} ms`);
    assert.ok(
      busy < 2 * idle,
      `p99 of the good client ${busy.toFixed(2)} ms, ${idle.toFixed(2)} ms without the slow ones`,
    );
  });

  it('keeps its goodput at three times the load, refuses the rest at once, and stays in reach', async () => {
    const ANSWER = 20;
    upstream.handle = (_request, response) => void setTimeout(() => response.end('x'), ANSWER);
    const agent = new Agent({ connections: 512 });
    const offer = async (
      perSecond: number,
      seconds: number,
    ): Promise<{ good: number; refusals: number[]; other: number }> => {
      const result = { good: 0, refusals: [] as number[], other: 0 };
      const all: Promise<void>[] = [];
      const start = performance.now();
      for (let sent = 0; sent < perSecond * seconds;) {
        for (
          const due = Math.min(perSecond * seconds, ((performance.now() - start) / 1000) * perSecond);
          sent < due;
          sent++
        ) {
          const at = performance.now();
          all.push(
            request(`${router.url}/`, { dispatcher: agent }).then(async ({ statusCode, headers, body }) => {
              await body.dump();
              if (statusCode === 200) result.good += 1;
              else if (statusCode === 503 && headers['retry-after'] !== undefined)
                result.refusals.push(performance.now() - at);
              else result.other += 1;
            }),
          );
        }
        await wait(1);
      }
      await Promise.all(all);
      return result;
    };
    await offer(200, 1);
    const capacity = (IN_FLIGHT / ANSWER) * 1000;
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
    const normal = await offer(capacity * 0.9, 3);
    const overloaded = await offer(capacity * 3, 5);
    isOver = true;
    await asking;
    await agent.close();
    assert.equal(overloaded.other, 0);
    const goodput = overloaded.good / 5;
    assert.ok(
      goodput >= 0.9 * Math.min(capacity, normal.good / 3),
      `${goodput} a second under overload, ${normal.good / 3} without`,
    );
    assert.ok(
      percentile(overloaded.refusals, 0.99) < 50,
      `a refusal took ${percentile(overloaded.refusals, 0.99).toFixed(1)} ms`,
    );
    assert.ok(percentile(admin, 0.99) < 200, `the admin port took ${percentile(admin, 0.99).toFixed(1)} ms`);
  });
});
