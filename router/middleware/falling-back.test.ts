import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { until } from '../../test/support/until.ts';
import { flagsOf, startService, startShop, yamlOf, type Service, type Shop } from './testbed.ts';

describe('strangle(): when the service fails', () => {
  let service: Service;
  let shop: Shop;
  const ana = { 'x-user-id': 'ana' };
  const start = async (flags = flagsOf(100), url = service.url): Promise<void> => {
    shop = await startShop({ yaml: yamlOf(url), flags });
  };
  beforeEach(async () => {
    service = await startService();
  });
  afterEach(async () => {
    await shop.close();
    await service.close();
  });
  const ask = async (
    method = 'GET',
    path = '/images/1',
  ): Promise<{ status: number; text: string; headers: Headers }> => {
    const init = method === 'GET' ? {} : { body: 'x' };
    const answer = await fetch(shop.url + path, { method, headers: { ...ana, 'strangler-x': '1' }, ...init });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };
  /** A service that treats every connection so. */
  const rude = async (
    treat: (socket: Socket) => void,
  ): Promise<{ url: string; server: Server; count: () => number; end(): void }> => {
    let count = 0;
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      count++;
      sockets.push(socket.on('error', () => {}));
      treat(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const end = (): void => {
      for (const socket of sockets) socket.destroy();
      server.close();
    };
    return {
      url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
      server,
      count: () => count,
      end,
    };
  };

  it('lets the monolith answer a read when the service refuses, for as long as it does', async () => {
    await start();
    await service.close();
    for (let i = 0; i < 20; i++) {
      const answer = await ask();
      assert.equal(answer.text, 'monolith');
      assert.equal(answer.headers.get('via'), null);
      assert.match(answer.headers.get('server-timing')!, /image-api/);
    }
    assert.equal(shop.seen.length, 20);
    assert.equal(shop.seen[0]!.headers['strangler-x'], undefined);
    assert.equal(shop.seen[0]!.headers['via'], undefined, 'the request is as it came');
  });

  it('does so for 5xx, and not for 4xx', async () => {
    await start();
    service.handle = (_req, res) =>
      void res.writeHead(503, { 'set-cookie': 'bad=1', 'x-bad': '1' }).end('broken');
    const answer = await ask();
    assert.deepEqual([answer.status, answer.text], [200, 'monolith']);
    assert.deepEqual([answer.headers.getSetCookie(), answer.headers.get('x-bad')], [[], null]);
    service.handle = (_req, res) => void res.writeHead(404).end('none');
    assert.deepEqual([(await ask()).status, (await ask()).text], [404, 'none']);
    service.handle = (_req, res) => void res.end('service');
    assert.equal((await ask()).text, 'service');
  });

  it('does so when the service takes too long, once, and its late answer goes nowhere', async () => {
    await start();
    let answerLate = (): void => {};
    service.handle = (_req, res) => void (answerLate = () => res.end('late'));
    const before = performance.now();
    assert.equal((await ask()).text, 'monolith');
    const took = performance.now() - before;
    assert.ok(took > 350 && took < 2000, `${took} ms`);
    answerLate();
    service.handle = (_req, res) => void res.end('service');
    assert.equal((await ask()).text, 'service');
    assert.equal(shop.seen.length, 1);
  });

  for (const [what, treat] of [
    ['resets', (socket) => void socket.once('data', () => socket.resetAndDestroy())],
    ['closes without a word', (socket) => void socket.once('data', () => socket.end())],
    ['speaks something else', (socket) => void socket.once('data', () => socket.end('SSH-2.0-x\r\n'))],
    [
      'switches protocols unasked',
      (socket) =>
        void socket.once('data', () =>
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
        ),
    ],
    [
      'gives half a head',
      (socket) => void socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-')),
    ],
    [
      'lets a hop drop its length',
      (socket) =>
        void socket.once('data', () =>
          socket.end('HTTP/1.1 200 OK\r\nConnection: close, Content-Length\r\nContent-Length: 1\r\n\r\na'),
        ),
    ],
    [
      'frames its answer twice',
      (socket) =>
        void socket.once('data', () =>
          socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
        ),
    ],
  ] as const satisfies readonly (readonly [string, (socket: Socket) => void])[]) {
    it(`does so when the service ${what}; a write is told instead, and sent once`, async () => {
      const server = await rude(treat);
      await start(flagsOf(100), server.url);
      try {
        assert.equal((await ask()).text, 'monolith');
        const reads = server.count();
        const { status, text } = await ask('POST', '/images');
        assert.equal(status, 502);
        assert.match(text, /UPSTREAM_(?:FAILED|PROTOCOL)/);
        assert.equal(server.count() - reads, 1);
        assert.equal(shop.seen.length, 1);
      } finally {
        server.end();
      }
    });
  }

  it('never hands a write over: 502, 504 and the service’s own 500 are told', async () => {
    await start();
    service.handle = (_req, res) => void res.writeHead(500).end('broken');
    assert.deepEqual([(await ask('POST', '/images')).text], ['broken']);
    service.handle = () => {};
    const slow = await ask('POST', '/images');
    assert.equal(slow.status, 504);
    assert.match(slow.text, /"code":"UPSTREAM_TIMEOUT"/);
    assert.ok(slow.headers.get('x-request-id'));
    await service.close();
    assert.equal((await ask('POST', '/images')).status, 502);
    assert.equal(shop.seen.length, 0);
  });

  it('has no fallback once the feature is retired', async () => {
    await start(flagsOf(100, 'retired'));
    await service.close();
    assert.equal((await ask()).status, 502);
    assert.equal(shop.seen.length, 0);
  });

  it('takes another instance before the monolith', async () => {
    const dead = await rude(() => {});
    dead.end();
    await start(flagsOf(100));
    await shop.close();
    const yaml = yamlOf(service.url).replace(
      `url: "${service.url}"`,
      `urls: ["${dead.url}", "${service.url}"]`,
    );
    shop = await startShop({ yaml, flags: flagsOf(100) });
    for (let i = 0; i < 2; i++) assert.equal((await ask()).text, 'service');
    assert.equal((await ask('POST', '/images')).text, 'service');
    assert.equal(shop.seen.length, 0);
    // Second tries have a budget; whatever is beyond it, the monolith answers.
    for (let i = 0; i < 20; i++) assert.equal((await ask()).status, 200);
  });

  it('gives up on a service that does not take the body, and not on a client that is slow with it', async () => {
    await start();
    service.handle = () => {};
    const stuck = await fetch(`${shop.url}/images/1`, {
      method: 'PUT',
      headers: ana,
      body: new Uint8Array(2 ** 25),
    });
    assert.equal(stuck.status, 504);
    await stuck.body?.cancel();
    service.handle = (req, res) => void req.pipe(res);
    const outgoing = request(`${shop.url}/images/1`, { method: 'PUT', headers: ana });
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    outgoing.flushHeaders();
    await until(() => service.seen.length === 2, 'the head at the service');
    const since = performance.now();
    await until(() => performance.now() - since > 600, 'longer than the time of the service');
    outgoing.end('late');
    const [answer] = await answered;
    assert.equal(String(await answer.toArray()), 'late');
  }).timeout(30_000);
});
