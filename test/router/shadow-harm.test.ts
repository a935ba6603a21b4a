import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { end, load, start } from '../resilience/load.ts';
import { CANARY, startRouter, startUpstream, type RouterProcess, type Upstream } from '../support/router.ts';
import { parityOf, settled, shadowedConfig } from '../support/shadowed.ts';
import { until } from '../support/until.ts';

/** Memory of a process in MiB (proc_pid_status(5), VmRSS). */
function resident(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

const MANY = 3000;

/** A service that misbehaves: what it does with the first bytes of a connection. */
async function misbehaving(
  onData: (socket: Socket) => void,
): Promise<{ server: Server; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('data', () => onData(socket));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return { server, sockets };
}

const HUGE = Buffer.alloc(10 * 2 ** 20, 'x');

describe('a shadow that misbehaves', function () {
  this.timeout(60_000);
  let monolith: Upstream;
  let router: RouterProcess | undefined;
  let service: { server: Server; sockets: Set<Socket> } | undefined;
  let stopped: ChildProcess | undefined;
  beforeEach(async () => {
    monolith = await startUpstream('monolith');
  });
  afterEach(async () => {
    await router?.stop();
    if (stopped) await end(stopped);
    for (const socket of service?.sockets ?? []) socket.destroy();
    service?.server.close();
    router = service = stopped = undefined;
    await monolith.close();
  });

  /** Sends the load with the feature off and then in shadow: every request is served, and little memory is used for it. */
  async function serves(url: string): Promise<void> {
    router = await startRouter({
      yaml: shadowedConfig(monolith.url, url, '{ sample: 1, maxBody: 1MiB, compare: image }'),
      flags: CANARY(0, 'off'),
    });
    const port = Number(new URL(router.url).port);
    await load(port, MANY, 16, () => ['GET', '/images/1']);
    const before = resident(router.child.pid!);
    assert.equal((await router.change('/images/promote', {})).status, 200);
    let most = 0;
    const answers = await load(
      port,
      MANY,
      16,
      (index) => ['GET', `/images/${index}`],
      (done) => {
        if (done % 100 === 0) most = Math.max(most, resident(router!.child.pid!));
      },
    );
    const wrong = answers.filter(({ status, body }) => status !== 200 || body !== 'monolith\n');
    assert.deepEqual(wrong, []);
    assert.ok(most - before < 64, `${Math.round(most - before)} MiB more`);
    assert.equal((await fetch(`${router.url}/images`, { method: 'POST', body: 'x' })).status, 200);
  }

  it('refused: costs the primary nothing, and is counted', async () => {
    const { server } = await misbehaving(() => undefined);
    const { port } = server.address() as AddressInfo;
    await new Promise((done) => {
      server.close(done);
    });
    await serves(`http://127.0.0.1:${port}`);
    const { droppedBy } = await settled(router!, MANY);
    assert.ok(droppedBy['connect']! > 0, JSON.stringify(droppedBy));
  });

  it('stopped in its tracks (SIGSTOP): costs the primary nothing, and is counted', async () => {
    const upstream = await start('upstream.ts', 'image-api');
    stopped = upstream.process;
    stopped.kill('SIGSTOP');
    await serves(`http://127.0.0.1:${upstream.port}`);
    const { counts, droppedBy } = await settled(router!, MANY);
    assert.equal(counts.match + counts.mismatch + counts.incomparable, 0);
    assert.ok(droppedBy['full']! > 0 && droppedBy['timeout']! > 0, JSON.stringify(droppedBy));
  });

  it('slow by ten seconds: costs the primary nothing, and is counted', async () => {
    const late = new Set<NodeJS.Timeout>();
    service = await misbehaving((socket) => {
      late.add(setTimeout(() => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), 10_000));
    });
    await serves(`http://127.0.0.1:${(service.server.address() as AddressInfo).port}`);
    const { droppedBy } = await settled(router!, MANY);
    for (const timer of late) clearTimeout(timer);
    assert.ok(droppedBy['full']! > 0 && droppedBy['timeout']! > 0, JSON.stringify(droppedBy));
  });

  it('resetting: costs the primary nothing, and is counted', async () => {
    service = await misbehaving((socket) => socket.resetAndDestroy());
    await serves(`http://127.0.0.1:${(service.server.address() as AddressInfo).port}`);
    const { droppedBy } = await settled(router!, MANY);
    assert.ok(droppedBy['reset']! > 0, JSON.stringify(droppedBy));
  });

  for (const [what, framing, start] of [
    ['10 MB', `Content-Length: ${HUGE.length}`, ''],
    ['10 MB in chunks, unannounced', 'Transfer-Encoding: chunked', 'A00000\r\n'],
  ] as const)
    it(`answering ${what}: costs the primary nothing, and is not kept`, async () => {
      service = await misbehaving((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n${start}`);
        socket.write(HUGE);
      });
      await serves(`http://127.0.0.1:${(service.server.address() as AddressInfo).port}`);
      const { counts, dropped } = await settled(router!, MANY);
      assert.ok(dropped > 0 && counts.incomparable > 0 && counts.match + counts.mismatch === 0);
    });

  it('answering something else than HTTP, or half an answer for ever: is counted', async () => {
    let turn = 0;
    service = await misbehaving((socket) =>
      turn++ % 2 === 0
        ? socket.end('* OK IMAP\r\n')
        : socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab'),
    );
    await serves(`http://127.0.0.1:${(service.server.address() as AddressInfo).port}`);
    let droppedBy: Record<string, number | undefined> = {};
    await until(
      async () => ((droppedBy = (await parityOf(router!)).droppedBy)['protocol'] ?? 0) > 0,
      () => `what is no HTTP to be counted; there are ${JSON.stringify(droppedBy)}`,
    );
    const metrics = await (await fetch(`${router!.adminUrl}/metrics`)).text();
    assert.match(metrics, /strangler_shadow_dropped_total\{feature="images",reason="protocol"\} \d+/);
  });
});
