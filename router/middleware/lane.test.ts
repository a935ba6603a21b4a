import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { until } from '../../test/support/until.ts';
import { flagsOf, raw, startService, startShop, yamlOf, type Service, type Shop } from './testbed.ts';

describe('strangle(): connections to the service', () => {
  let service: Service;
  let shop: Shop;
  const ana = { 'x-user-id': 'ana' };
  before(async () => {
    service = await startService();
    shop = await startShop({ yaml: yamlOf(service.url), flags: flagsOf(100) });
  });
  after(async () => {
    await shop.close();
    await service.close();
  });

  it('reuses connections for reads and takes a fresh one for a write', async () => {
    const ports = new Set<number>();
    service.handle = (req, res) =>
      void req.resume().on('end', () => res.end(String(ports.add(req.socket.remotePort!).size)));
    const get = async (method: string, path: string): Promise<string> =>
      (await fetch(shop.url + path, { method, headers: ana })).text();
    for (let i = 0; i < 5; i++) await get('GET', '/images/1');
    assert.equal(ports.size, 1);
    await get('POST', '/images');
    assert.equal(ports.size, 2);
    await get('GET', '/images/1');
    assert.equal(ports.size, 2);
  });

  it('asks again when an idle connection was found dead', async () => {
    const sockets: Socket[] = [];
    let asked = 0;
    const server: Server = createServer((socket) => {
      sockets.push(socket);
      let served = 0;
      socket.on('error', () => {});
      socket.on('data', () => {
        asked++;
        // The second request on a connection meets a server that is just closing it.
        if (++served === 2) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const other = await startShop({ yaml: yamlOf(`http://127.0.0.1:${port}`), flags: flagsOf(100) });
    try {
      for (let i = 0; i < 6; i++) {
        const text = await (await fetch(`${other.url}/images/1`, { headers: ana })).text();
        assert.equal(text, 'ok');
      }
      assert.ok(asked > 6, `${asked} requests`);
      assert.equal(other.seen.length, 0, 'the monolith was not needed');
    } finally {
      await other.close();
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });

  it('blames nobody for idle connections that were found dead, be they more than it takes to open the breaker', async () => {
    const COUNT = 12;
    const sockets: Socket[] = [];
    let isRestarted = false;
    let atOnce = COUNT;
    let waiting: Socket[] = [];
    const server: Server = createServer((socket) => {
      sockets.push(socket);
      const isOld = !isRestarted;
      socket.on('error', () => {});
      socket.on('data', () => {
        if (isOld && isRestarted) return void socket.resetAndDestroy();
        waiting.push(socket);
        // Answered together: each has a connection of its own, and no success comes between the failures.
        if (waiting.length < atOnce) return;
        for (const one of waiting) one.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        waiting = [];
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const other = await startShop({ yaml: yamlOf(`http://127.0.0.1:${port}`), flags: flagsOf(100) });
    const ask = async (): Promise<string> => (await fetch(`${other.url}/images/1`, { headers: ana })).text();
    try {
      const all = async (): Promise<string[]> => Promise.all(Array.from({ length: COUNT }, ask));
      assert.deepEqual(new Set(await all()), new Set(['ok']));
      assert.equal(sockets.length, COUNT);
      isRestarted = true;
      assert.deepEqual(new Set(await all()), new Set(['ok']));
      atOnce = 1;
      // An open breaker would let the monolith answer.
      assert.equal(await ask(), 'ok');
      assert.equal(other.seen.length, 0);
    } finally {
      await other.close();
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });

  it('frames a request without a body as it came, and names the service to one without Host', async () => {
    service.handle = (_req, res) => void res.end('service');
    for (const line of ['POST /images', 'DELETE /images/1']) {
      const seen = service.seen.length;
      await raw(shop.port, `${line} HTTP/1.1\r\nHost: shop\r\nX-User-Id: ana\r\nConnection: close\r\n\r\n`);
      assert.equal(service.seen.length, seen + 1, line);
      const { headers } = service.seen.at(-1)!;
      assert.deepEqual([headers['transfer-encoding'], headers['content-length']], [undefined, '0'], line);
    }
    const chunks = 'Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n';
    service.handle = (req, res) => void req.pipe(res);
    for (const line of ['DELETE /images/1', 'POST /images']) {
      const answer = await raw(shop.port, `${line} HTTP/1.1\r\nHost: shop\r\nX-User-Id: ana\r\n${chunks}`);
      assert.match(answer, /\r\nx\r\n0\r\n\r\n$/, line);
      assert.equal(service.seen.at(-1)!.headers['content-length'], undefined);
    }
    const old = await raw(shop.port, 'GET /images/1 HTTP/1.0\r\nX-User-Id: ana\r\n\r\n');
    assert.match(old, /^HTTP\/1\.1 200 /);
    assert.doesNotMatch(old, /transfer-encoding/i);
    assert.equal(service.seen.at(-1)!.headers.host, service.url.slice('http://'.length));
    assert.equal(service.seen.at(-1)!.headers.via, '1.0 strangler');
  });

  it('refuses what is more than the service takes, and asks again when there is room', async () => {
    const yaml = yamlOf(service.url).replace('timeouts:', 'maxInFlight: 1, timeouts:');
    const narrow = await startShop({ yaml, flags: flagsOf(100) });
    try {
      const before = service.seen.length;
      let answer = (): void => {};
      service.handle = (_req, res) => void (answer = () => res.end('service'));
      const first = fetch(`${narrow.url}/images/1`, { headers: ana });
      await until(() => service.seen.length > before, 'the first request');
      const second = await fetch(`${narrow.url}/images/1`, { headers: ana });
      assert.deepEqual([second.status, second.headers.get('retry-after')], [503, '1']);
      answer();
      assert.equal(await (await first).text(), 'service');
      service.handle = (_req, res) => void res.end('third');
      assert.equal(await (await fetch(`${narrow.url}/images/1`, { headers: ana })).text(), 'third');
    } finally {
      await narrow.close();
    }
  });

  it('finishes what is under way after close, and keeps no connection', async () => {
    const closing = await startShop({ yaml: yamlOf(service.url), flags: flagsOf(100) });
    try {
      const open = async (): Promise<number> =>
        new Promise((done, fail) =>
          service.server.getConnections((error, count) => (error ? fail(error) : done(count))),
        );
      let answer = (): void => {};
      const before = service.seen.length;
      service.handle = (_req, res) => void (answer = () => res.end('service'));
      const pending = fetch(`${closing.url}/images/1`, { headers: ana });
      await until(() => service.seen.length > before, 'the request');
      shop.split.close();
      closing.split.close();
      closing.split.close();
      answer();
      assert.equal(await (await pending).text(), 'service');
      await until(async () => (await open()) === 0, 'the connections to close', 2500);
    } finally {
      await closing.close();
    }
  });
});
