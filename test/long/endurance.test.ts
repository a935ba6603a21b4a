import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { until } from '../support/until.ts';

const yaml = (monolith: string, service: string): string => `listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
flags: { file: flags.json }
upstreams: { monolith: { url: "${monolith}" }, image-api: { url: "${service}" } }
default: monolith
features:
  images: { upstream: image-api, flag: images, key: [{ header: x-user-id }], routes: [{ match: "GET /images/{id}", effect: read }] }
`;

describe('the router over a long time', function () {
  this.timeout(600_000);
  let upstreams: Upstream[];
  let router: RouterProcess;
  before(async () => {
    upstreams = await Promise.all(['monolith', 'image-api'].map(startUpstream));
    router = await startRouter({
      yaml: yaml(upstreams[0]!.url, upstreams[1]!.url),
      flags: CANARY(50),
      env: { LOG_LEVEL: 'info' },
    });
  });
  after(async () => {
    await router?.stop();
    await Promise.all(upstreams.map((upstream) => upstream.close()));
  });

  const pid = (): number => router.child.pid!;
  /** Resident memory in bytes (proc_pid_status(5), VmRSS). */
  const memory = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid()}/status`, 'utf8'))![1]) * 1024;
  const openFiles = (): number => readdirSync(`/proc/${pid()}/fd`).length;

  it('fails none of 100,000 requests over 200 corrupt reloads', async () => {
    const agent = new Agent({ connections: 16, pipelining: 1 });
    const path = join(router.dir, 'flags.json');
    const good = readFileSync(path, 'utf8');
    const harms = ['{"flags":', '', null, good.slice(0, -20), good.replace('image-api', 'images')];
    const statuses = new Map<number, number>();
    let sent = 0;
    const worker = async (): Promise<void> => {
      while (sent < 100_000) {
        const key = String(sent++);
        const status = await request(`${router.url}/images/1`, {
          dispatcher: agent,
          headers: { 'x-user-id': key },
        }).then(
          async ({ statusCode, body }) => (await body.dump(), statusCode),
          () => 0,
        );
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const reloads = async (): Promise<void> => {
      for (let n = 0; n < 200; n++) {
        const harm = harms[n % harms.length]!;
        const from = sent;
        if (harm === null) rmSync(path);
        else writeFileSync(path, harm);
        await until(() => sent >= Math.min(100_000, from + 200), 'some load on the corrupt file', 60_000);
        writeFileSync(path, good);
        await until(() => sent >= Math.min(100_000, from + 400), 'some load on the good file', 60_000);
      }
    };
    await Promise.all([reloads(), ...Array.from({ length: 16 }, worker)]);
    await agent.close();
    assert.deepEqual([...statuses.keys()], [200]);
    await until(
      async () =>
        ((await router.admin('/api/status')).body['flags'] as { state: string }).state === 'applied',
      'the good file to be in force',
    );
  });

  it('keeps nothing of 10,000 aborted requests', async () => {
    const slow = upstreams[1]!;
    const held = new Set<unknown>();
    slow.handle = (_request, response) => {
      held.add(response);
      response.on('close', () => held.delete(response));
    };
    const { port } = new URL(router.url);
    const abort = async (): Promise<void> => {
      const socket = connect({ port: Number(port), host: '127.0.0.1' });
      socket.on('error', () => {});
      await once(socket, 'connect');
      const before = slow.seen.length;
      socket.write('GET /images/1 HTTP/1.1\r\nHost: shop\r\nx-user-id: 1\r\n\r\n');
      await Promise.race([
        until(() => slow.seen.length > before, 'the request to arrive'),
        once(socket, 'close'),
      ]);
      socket.destroy();
    };
    const flag = await router.change('/images/split', { percent: 100 });
    assert.equal(flag.status, 200);
    // The first thousand make the process as large as it gets.
    const many = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n += 20) await Promise.all(Array.from({ length: 20 }, abort));
      await until(() => held.size === 0, 'the upstream to hear of the aborts');
    };
    await many(1000);
    const [files, bytes] = [openFiles(), memory()];
    await many(10_000);
    await until(
      () => openFiles() <= files + 2,
      () => `${openFiles()} open files, ${files} before`,
    );
    assert.ok(memory() - bytes < 20 * 2 ** 20, `${((memory() - bytes) / 2 ** 20).toFixed(1)} MiB more`);
  });
});
