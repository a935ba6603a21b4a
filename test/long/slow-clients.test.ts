import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Agent, request } from 'undici';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { until } from '../support/until.ts';

const yaml = (url: string): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${url}" }, image-api: { url: "${url}" } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ header: x-user-id }], routes: [{ match: "GET /images/{id}", effect: read }] }
`;

describe('the router among slow clients', function () {
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
});
