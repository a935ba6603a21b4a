import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { until } from '../../test/support/until.ts';
import { flagsOf, raw, startService, startShop, yamlOf, type Service, type Shop } from './testbed.ts';

describe('strangle(): what is carried', () => {
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
  beforeEach(() => {
    service.seen.length = 0;
    shop.seen.length = 0;
    service.handle = (req, res) => void req.resume().on('end', () => res.end('service'));
  });
  const head = (...lines: string[]): string =>
    [...lines, 'Host: shop', 'X-User-Id: ana', 'Connection: close, X-Hop', 'X-Hop: 1', '', ''].join('\r\n');

  it('cleans the request head, also behind Expect: 100-continue, and says who asks', async () => {
    const lines = [
      'TE: trailers',
      'Proxy-Connection: x',
      'Keep-Alive: 3',
      'X-Forwarded-For: 6.6.6.6',
      'X-Real: 1',
      'X-Real: 2',
    ];
    for (const expect of [[], ['Expect: 100-continue']]) {
      const answer = await raw(
        shop.port,
        head(
          'POST /images HTTP/1.1',
          ...lines,
          'Strangler-Debug: 1',
          'Strangler-Override: x',
          'Content-Length: 2',
          ...expect,
        ),
        'ab',
      );
      assert.match(answer, /service/);
      const { headers, raw: sent } = service.seen.at(-1)!;
      for (const name of [
        'te',
        'proxy-connection',
        'keep-alive',
        'x-hop',
        'expect',
        'strangler-debug',
        'strangler-override',
      ])
        assert.equal(headers[name], undefined, name);
      assert.equal(headers['x-forwarded-for'], '127.0.0.1');
      assert.equal(headers['x-forwarded-host'], 'shop');
      assert.equal(headers['x-forwarded-proto'], 'http');
      assert.equal(headers['forwarded'], 'for=127.0.0.1;host=shop;proto=http');
      assert.equal(headers['via'], '1.1 strangler');
      assert.equal(headers['host'], 'shop');
      assert.equal(headers['content-length'], '2');
      assert.match(headers['x-request-id'] as string, /^[0-9a-f]{32}$/);
      assert.match(headers['traceparent'] as string, /^00-/);
      assert.equal(sent.filter((text) => text.toLowerCase() === 'x-real').length, 2);
    }
  });

  it('believes a trusted proxy and adds to what it says', async () => {
    const yaml = yamlOf(service.url, 'trust: { proxies: [127.0.0.0/8] }\n');
    const trusting = await startShop({ yaml, flags: flagsOf(100) });
    try {
      const headers = {
        ...ana,
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'a.test',
      };
      await fetch(`${trusting.url}/images/1`, { headers });
      const sent = service.seen[0]!.headers;
      assert.equal(sent['x-forwarded-for'], '6.6.6.6, 127.0.0.1');
      assert.deepEqual([sent['x-forwarded-proto'], sent['x-forwarded-host']], ['https', 'a.test']);
      assert.match(
        (await fetch(`${trusting.url}/page`, { headers })).headers.getSetCookie()[0]!,
        /; Secure$/,
      );
    } finally {
      await trusting.close();
    }
  });

  const HOP = [
    ['Connection', 'close, X-Hop'],
    ['X-Hop', '1'],
    ['Keep-Alive', 'timeout=1'],
  ] as const;
  it('cleans the answer and keeps what belongs to it', async () => {
    service.handle = (_req, res) => {
      res.setHeader('Set-Cookie', ['a=1', 'b=2']);
      for (const [name, value] of HOP) res.setHeader(name, value);
      res.writeHead(203, 'Fine', { Location: 'http://elsewhere/x', 'Content-Length': '7' });
      res.end('service');
    };
    const answer = await fetch(`${shop.url}/images/1`, { headers: { ...ana, 'x-request-id': 'mine' } });
    assert.equal(await answer.text(), 'service');
    assert.equal(answer.status, 203);
    assert.equal(answer.statusText, 'Fine');
    assert.deepEqual(answer.headers.getSetCookie(), ['a=1', 'b=2']);
    assert.equal(answer.headers.get('x-hop'), null);
    assert.equal(answer.headers.get('location'), 'http://elsewhere/x');
    assert.equal(answer.headers.get('via'), '1.1 strangler');
    assert.equal(answer.headers.get('x-request-id'), 'mine');
    assert.match(answer.headers.get('server-timing')!, /image-api/);
  });

  it('answers HEAD, 304 and 204 without a body, on a connection that goes on', async () => {
    service.handle = (req, res) => {
      res.statusCode = req.method === 'HEAD' ? 200 : Number(req.headers['x-status']);
      if (req.method === 'HEAD') res.setHeader('Content-Length', 5);
      res.end();
    };
    const get = (method: string, status: number, more = ''): string =>
      `${method} /images/1 HTTP/1.1\r\nHost: shop\r\nX-User-Id: ana\r\nX-Status: ${status}\r\n${more}\r\n`;
    const text = await raw(
      shop.port,
      get('HEAD', 0),
      get('GET', 304),
      get('GET', 204, 'Connection: close\r\n'),
    );
    assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 304', 'HTTP/1.1 204']);
    assert.match(text, /Content-Length: 5/i);
  });

  it('streams a body both ways: the first byte is there before the last was sent', async () => {
    service.handle = (req, res) => void req.pipe(res);
    const outgoing = request(`${shop.url}/images`, { method: 'POST', headers: ana });
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    outgoing.write('first');
    const [answer] = await answered;
    let text = '';
    answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await until(() => text === 'first', 'the first piece');
    outgoing.end('last');
    await once(answer, 'end');
    assert.equal(text, 'firstlast');
  });

  it('refuses a body that is too long: announced, or found out on the way; the service never has a whole request', async () => {
    let whole = 0;
    service.handle = (req, res) =>
      void req
        .on('error', () => {})
        .resume()
        .on('end', () => (whole++, res.end()));
    const announced = await fetch(`${shop.url}/images`, {
      method: 'POST',
      headers: ana,
      body: 'x'.repeat(1025),
    });
    assert.equal(announced.status, 413);
    assert.equal(service.seen.length, 0);
    const outgoing = request(`${shop.url}/images`, { method: 'POST', headers: ana });
    outgoing.write('x'.repeat(1024));
    await until(() => service.seen.length === 1, 'the head at the service');
    outgoing.write('x');
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    assert.equal(answer.statusCode, 413);
    assert.match(String(await answer.toArray()), /BODY_TOO_LARGE/);
    outgoing.end();
    assert.equal(whole, 0);
    const fitting = await fetch(`${shop.url}/images`, {
      method: 'POST',
      headers: ana,
      body: 'x'.repeat(1024),
    });
    assert.equal(fitting.status, 200);
  });

  for (const [what, line, status] of [
    ['passes an early answer on', 'PUT /images/1', 401],
    ['refuses at once', 'POST /images', 413],
  ] as const) {
    it(`${what} while the body is still coming, and the connection serves on`, async () => {
      service.handle = (_req, res) => void res.writeHead(401).end('no');
      const socket = connect(shop.port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.write(`${line} HTTP/1.1\r\nHost: shop\r\nX-User-Id: ana\r\nContent-Length: 1000000\r\n\r\n`);
      await until(() => text.startsWith(`HTTP/1.1 ${status} `), 'the early answer', 2000);
      socket.write('x'.repeat(1_000_000));
      socket.write('GET /cart HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n');
      await once(socket, 'close');
      assert.match(text, /monolith$/);
    });
  }

  it('tells the service when the client goes away, and blames nobody', async () => {
    let gone = 0;
    service.handle = (req, res) =>
      void res.once('close', () => (gone += req.destroyed || res.destroyed ? 1 : 0));
    for (let i = 1; i <= 6; i++) {
      const outgoing = request(`${shop.url}/images/1`, { headers: ana }).on('error', () => {});
      outgoing.end();
      await until(() => service.seen.length === i, 'the request');
      outgoing.destroy();
      await until(() => gone === i, 'the service to hear of it', 2000);
    }
    service.handle = (_req, res) => void res.end('service');
    assert.equal(await (await fetch(`${shop.url}/images/1`, { headers: ana })).text(), 'service');
  });

  it('cuts the client when the service dies in the middle of its answer', async () => {
    service.handle = (_req, res) => {
      res.writeHead(200, { 'content-length': '100' });
      res.write('part', () => res.destroy());
    };
    const answer = await fetch(`${shop.url}/images/1`, { headers: ana });
    await assert.rejects(answer.text());
    service.handle = (_req, res) => void res.write('part', () => res.destroy());
    const text = await raw(shop.port, head('GET /images/1 HTTP/1.1'));
    assert.match(text, /part/);
    assert.doesNotMatch(text, /\r\n0\r\n/);
  });
});
