import assert from 'node:assert/strict';
import {
  OK,
  exchange,
  isWholeAnswer,
  recorder,
  routeTo,
  testbed,
  upstreamAt,
  type Recorder,
  type Testbed,
} from './testbed.ts';

const lines = (...all: string[]): string => `${all.join('\r\n')}\r\n\r\n`;

/** What the router adds, in this order, with what is random left out. */
const added = (host: string, minor = 1): string[] => [
  'X-Forwarded-For: 127.0.0.1',
  'X-Forwarded-Proto: http',
  `X-Forwarded-Host: ${host}`,
  `Forwarded: for=127.0.0.1;host=${host};proto=http`,
  `Via: 1.${minor} strangler`,
  'traceparent: 00-ID-SPAN-01',
  'X-Request-Id: ID',
];

/** What it is, the bytes sent, and the bytes that reach the upstream. */
const FORWARDED: readonly (readonly [string, string, string])[] = [
  [
    'order, case and white space stay; query too',
    lines(
      'GET /a/b?x=%2F../&&y HTTP/1.1',
      'hOST: shop',
      'B:  two ',
      'a: 1',
      'B: again',
      'Empty:',
      'Latin: \xe9',
    ),
    lines(
      'GET /a/b?x=%2F../&&y HTTP/1.1',
      'hOST: shop',
      'B:  two ',
      'a: 1',
      'B: again',
      'Empty:',
      'Latin: \xe9',
      ...added('shop'),
    ),
  ],
  [
    'hop-by-hop headers and those named in Connection are dropped',
    lines(
      'GET / HTTP/1.1',
      'Connection: keep-alive, X-Mine, te',
      'Host: shop',
      'X-Mine: 1',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Proxy-Connection: x',
      'Proxy-Authorization: x',
      'Upgrade: foo',
      'Keep: 1',
      'x-MINE: 2',
    ),
    lines('GET / HTTP/1.1', 'Host: shop', 'Keep: 1', ...added('shop')),
  ],
  [
    'X-Forwarded-* and Forwarded of an untrusted peer are dropped, also when Connection names them',
    lines(
      'GET / HTTP/1.1',
      'Host: shop',
      'X-Forwarded-For: 6.6.6.6',
      'X-Forwarded-Proto: https',
      'x-forwarded-host: evil',
      'X-Forwarded-Port: 1',
      'Forwarded: for=6.6.6.6',
      'Connection: close, X-Forwarded-For',
    ),
    lines('GET / HTTP/1.1', 'Host: shop', ...added('shop')),
  ],
  [
    'Strangler-* never passes',
    lines('GET / HTTP/1.1', 'Host: shop', 'Strangler-Shadow: 1', 'STRANGLER-X: y', 'A: b'),
    lines('GET / HTTP/1.1', 'Host: shop', 'A: b', ...added('shop')),
  ],
  [
    'headers and cookies of the plan stay here',
    lines('GET / HTTP/1.1', 'Host: shop', 'X-Secret: 1', 'Cookie: a=1; hidden=2; b=3'),
    lines('GET / HTTP/1.1', 'Host: shop', 'Cookie: a=1; b=3', ...added('shop')),
  ],
  [
    'a Cookie line with nothing left goes',
    lines('GET / HTTP/1.1', 'Host: shop', 'Cookie: hidden=2'),
    lines('GET / HTTP/1.1', 'Host: shop', ...added('shop')),
  ],
  [
    'a cookie of a similar name stays',
    lines('GET / HTTP/1.1', 'Host: shop', 'Cookie: xhidden=2;  c=hidden=1'),
    lines('GET / HTTP/1.1', 'Host: shop', 'Cookie: xhidden=2;  c=hidden=1', ...added('shop')),
  ],
  [
    'Via is added to',
    lines('GET / HTTP/1.1', 'Host: shop', 'Via: 1.1 before'),
    lines('GET / HTTP/1.1', 'Host: shop', 'Via: 1.1 before', ...added('shop')),
  ],
  [
    'absolute-form becomes origin-form, and its authority is the Host',
    lines('GET http://evil.test/images/1?x HTTP/1.1', 'Host: shop'),
    lines('GET /images/1?x HTTP/1.1', 'Host: evil.test', ...added('evil.test')),
  ],
  [
    'absolute-form without a path',
    lines('GET HTTP://evil.test HTTP/1.1', 'Host: shop'),
    lines('GET / HTTP/1.1', 'Host: evil.test', ...added('evil.test')),
  ],
  [
    'dot segments are resolved',
    lines('GET /images/../admin HTTP/1.1', 'Host: shop'),
    lines('GET /admin HTTP/1.1', 'Host: shop', ...added('shop')),
  ],
  [
    'unreserved characters are decoded',
    lines('GET /%69mages/%7e%2E HTTP/1.1', 'Host: shop'),
    lines('GET /images/~. HTTP/1.1', 'Host: shop', ...added('shop')),
  ],
  [
    'an ambiguous path passes unchanged',
    lines('GET /a%2fb/..;/%zz\\ HTTP/1.1', 'Host: shop'),
    lines('GET /a%2fb/..;/%zz\\ HTTP/1.1', 'Host: shop', ...added('shop')),
  ],
  [
    'OPTIONS *',
    lines('OPTIONS * HTTP/1.1', 'Host: shop'),
    lines('OPTIONS * HTTP/1.1', 'Host: shop', ...added('shop')),
  ],
  [
    'HTTP/1.0 becomes 1.1',
    lines('GET /old HTTP/1.0', 'Host: shop', 'Expect: 100-continue'),
    lines('GET /old HTTP/1.1', 'Host: shop', ...added('shop', 0)),
  ],
  [
    'Upgrade: h2c is ignored',
    lines(
      'GET / HTTP/1.1',
      'Host: shop',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
    ),
    lines('GET / HTTP/1.1', 'Host: shop', ...added('shop')),
  ],
  [
    'one empty line before a request',
    `\r\n${lines('GET / HTTP/1.1', 'Host: shop')}`,
    lines('GET / HTTP/1.1', 'Host: shop', ...added('shop')),
  ],
  [
    'a body with a length',
    `${lines('POST /p HTTP/1.1', 'Host: shop', 'Content-Length: 3')}abc`,
    `${lines('POST /p HTTP/1.1', 'Host: shop', 'Content-Length: 3', ...added('shop'))}abc`,
  ],
  [
    'chunks stay as they are, their coding is spelt the usual way, extensions go, trailers pass without those of the hop',
    `${lines('POST /p HTTP/1.1', 'Host: shop', 'Transfer-Encoding: Chunked', 'Trailer: X-Sum')}03;a=b\r\nabc\r\n2\r\nde\r\n0;x\r\nX-Sum: 5\r\nHost: evil\r\nStrangler-X: 1\r\n\r\n`,
    `${lines('POST /p HTTP/1.1', 'Host: shop', 'Transfer-Encoding: chunked', 'Trailer: X-Sum', ...added('shop'))}03\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n`,
  ],
  [
    'a method that nobody knows',
    lines('PROPFIND /x HTTP/1.1', 'Host: shop'),
    lines('PROPFIND /x HTTP/1.1', 'Host: shop', ...added('shop')),
  ],
  [
    'IPv6 and a port in Host',
    lines('GET / HTTP/1.1', 'Host: [::1]:80'),
    lines(
      'GET / HTTP/1.1',
      'Host: [::1]:80',
      ...added('[::1]:80').map((line) => line.replace('host=[::1]:80', 'host="[::1]:80"')),
    ),
  ],
];

describe('what is forwarded', () => {
  let upstream: Recorder;
  let bed: Testbed;
  before(async () => {
    upstream = await recorder((socket, received) => {
      if (/(?:\r\n\r\n|abc)$/.test(received)) socket.write(OK);
    });
    bed = await testbed(
      () => routeTo('monolith', { stripHeaders: ['x-secret'], stripCookies: ['hidden'] }),
      [upstreamAt('monolith', upstream.url)],
    );
  });
  beforeEach(async () => {
    // Every case gets a connection of its own, so that what it sent stands alone.
    for (const socket of upstream.sockets) socket.destroy();
  });
  after(async () => {
    await bed.close();
    await upstream.close();
  });

  const sent = async (bytes: string): Promise<string> => {
    assert.match(await exchange(bed.listening.port, bytes, isWholeAnswer), /^HTTP\/1\.1 200 /);
    return upstream.received.at(-1)!;
  };

  for (const [name, bytes, expected] of FORWARDED) {
    it(name, async () => {
      const received = (await sent(bytes)).replace(
        /^traceparent: 00-([0-9a-f]{32})-[0-9a-f]{16}-01\r\nX-Request-Id: \1$/m,
        'traceparent: 00-ID-SPAN-01\r\nX-Request-Id: ID',
      );
      assert.equal(received, expected);
    });
  }
});
