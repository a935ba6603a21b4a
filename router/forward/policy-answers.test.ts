import assert from 'node:assert/strict';
import {
  exchange,
  recorder,
  routeTo,
  testbed,
  upstreamAt,
  until,
  type Recorder,
  type Testbed,
} from './testbed.ts';

const lines = (...all: string[]): string => `${all.join('\r\n')}\r\n\r\n`;
const ADDED = ['Via: 1.1 strangler', 'X-Request-Id: ID'];
const GET = lines('GET /x HTTP/1.1', 'Host: shop');
const HEAD = lines('HEAD /x HTTP/1.1', 'Host: shop');
const OLD = lines('GET /x HTTP/1.0', 'Host: shop');

/** What it is, the request, what the upstream answers, what the client gets, and whether the upstream's connection is kept. */
const ANSWERS: readonly (readonly [string, string, string, string, boolean])[] = [
  [
    'a length',
    GET,
    `${lines('HTTP/1.1 200 OK', 'X: 1', 'Content-Length: 3')}abc`,
    `${lines('HTTP/1.1 200 OK', 'X: 1', 'Content-Length: 3', ...ADDED)}abc`,
    true,
  ],
  [
    'Set-Cookie lines stay apart',
    GET,
    lines('HTTP/1.1 204 No Content', 'Set-Cookie: a=1', 'set-cookie: b=2'),
    lines('HTTP/1.1 204 No Content', 'Set-Cookie: a=1', 'set-cookie: b=2', ...ADDED),
    true,
  ],
  [
    'hop-by-hop lines and those named in Connection are dropped',
    GET,
    lines(
      'HTTP/1.1 200 Fine',
      'Connection: keep-alive, X-Hop',
      'X-Hop: 1',
      'Keep-Alive: timeout=9',
      'Proxy-Authenticate: x',
      'Content-Length: 0',
      'Location: http://upstream/x',
    ),
    lines('HTTP/1.1 200 Fine', 'Content-Length: 0', 'Location: http://upstream/x', ...ADDED),
    true,
  ],
  [
    'chunks and trailers',
    GET,
    `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}3;x=y\r\nabc\r\n0\r\nX-Sum: 1\r\nConnection: x\r\n\r\n`,
    `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', ...ADDED)}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`,
    true,
  ],
  [
    'chunks to HTTP/1.0',
    OLD,
    `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`,
    `${lines('HTTP/1.1 200 OK', ...ADDED, 'Connection: close')}abcde`,
    true,
  ],
  [
    'until close',
    GET,
    `${lines('HTTP/1.1 200 OK', 'X: 1')}abc CLOSE`,
    `${lines('HTTP/1.1 200 OK', 'X: 1', ...ADDED, 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\n\r\n`,
    false,
  ],
  [
    'until close to HTTP/1.0',
    OLD,
    `${lines('HTTP/1.1 200 OK')}abc CLOSE`,
    `${lines('HTTP/1.1 200 OK', ...ADDED, 'Connection: close')}abc`,
    false,
  ],
  [
    'an HTTP/1.0 answer',
    GET,
    `${lines('HTTP/1.0 200 OK', 'Content-Length: 3')}abc`,
    `${lines('HTTP/1.1 200 OK', 'Content-Length: 3', 'Via: 1.0 strangler', 'X-Request-Id: ID')}abc`,
    false,
  ],
  [
    'HEAD has no body',
    HEAD,
    lines('HTTP/1.1 200 OK', 'Content-Length: 3'),
    lines('HTTP/1.1 200 OK', 'Content-Length: 3', ...ADDED),
    true,
  ],
  [
    'HEAD with chunks announced',
    HEAD,
    lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'),
    lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', ...ADDED),
    true,
  ],
  [
    '304 has no body',
    GET,
    lines('HTTP/1.1 304 Not Modified', 'Content-Length: 3', 'ETag: "x"'),
    lines('HTTP/1.1 304 Not Modified', 'Content-Length: 3', 'ETag: "x"', ...ADDED),
    true,
  ],
  [
    '103 passes',
    GET,
    `${lines('HTTP/1.1 103 Early Hints', 'Link: </a>', 'Connection: x')}${lines('HTTP/1.1 200 OK', 'Content-Length: 0')}`,
    `${lines('HTTP/1.1 103 Early Hints', 'Link: </a>')}${lines('HTTP/1.1 200 OK', 'Content-Length: 0', ...ADDED)}`,
    true,
  ],
  [
    '103 does not pass to HTTP/1.0',
    OLD,
    `${lines('HTTP/1.1 103 Early Hints')}${lines('HTTP/1.1 200 OK', 'Content-Length: 0')}`,
    lines('HTTP/1.1 200 OK', 'Content-Length: 0', ...ADDED, 'Connection: close'),
    true,
  ],
  [
    "the upstream's request id stays",
    GET,
    lines('HTTP/1.1 200 OK', 'X-Request-Id: theirs', 'Content-Length: 0'),
    lines('HTTP/1.1 200 OK', 'X-Request-Id: theirs', 'Content-Length: 0', 'Via: 1.1 strangler'),
    true,
  ],
  [
    'bytes behind the answer cost the connection',
    GET,
    `${lines('HTTP/1.1 200 OK', 'Content-Length: 2')}okHTTP/1.1 200 OK\r\n`,
    `${lines('HTTP/1.1 200 OK', 'Content-Length: 2', ...ADDED)}ok`,
    false,
  ],
  [
    'the upstream wants to close',
    GET,
    lines('HTTP/1.1 200 OK', 'Connection: close', 'Content-Length: 0'),
    lines('HTTP/1.1 200 OK', 'Content-Length: 0', ...ADDED),
    false,
  ],
  [
    'no reason phrase',
    GET,
    'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 200\r\nContent-Length: 0\r\nVia: 1.1 strangler\r\nX-Request-Id: ID\r\n\r\n',
    true,
  ],
];

/** Answers that are no HTTP: the client gets 502, and the connection to the upstream is closed. */
const MALFORMED: readonly (readonly [string, string])[] = [
  [
    '101 to a plain request',
    lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'),
  ],
  ['no HTTP', 'SSH-2.0-OpenSSH_9\r\n'],
  ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['two lengths', lines('HTTP/1.1 200 OK', 'Content-Length: 1', 'Content-Length: 2')],
  ['a length and chunks', lines('HTTP/1.1 200 OK', 'Content-Length: 1', 'Transfer-Encoding: chunked')],
  ['an unknown coding', lines('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip')],
  ['a folded line', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
  ['an endless head', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}`],
  ['endless interim answers', lines('HTTP/1.1 102 Processing').repeat(40)],
  ['a first chunk that is none', `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}zz\r\n`],
];

describe('answers', () => {
  let upstream: Recorder;
  let bed: Testbed;
  let answer = '';
  let split = false;
  before(async () => {
    upstream = await recorder((socket) => {
      const bytes = Buffer.from(answer.replace(/ CLOSE$/, ''), 'latin1');
      if (split) void sendSplit(socket, bytes, answer.endsWith(' CLOSE'));
      else if (answer.endsWith(' CLOSE')) socket.end(bytes);
      else socket.write(bytes);
    });
    bed = await testbed(() => routeTo('monolith'), [upstreamAt('monolith', upstream.url)], {
      breaker: { threshold: 1e9 },
    });
  });
  afterEach(() => {
    for (const socket of upstream.sockets) socket.destroy();
  });
  after(async () => {
    await bed.close();
    await upstream.close();
  });

  for (const pieces of [false, true])
    for (const [name, request, answered, expected, isKept] of ANSWERS) {
      it(`${name}${pieces ? ', byte by byte' : ''}`, async () => {
        answer = answered;
        split = pieces;
        const anonymous = (text: string): string =>
          text.replace(/X-Request-Id: [0-9a-f]{32}/, 'X-Request-Id: ID');
        // Byte by byte a body that ends with the connection comes in other chunks; what they hold is looked at elsewhere.
        if (pieces && answered.endsWith(' CLOSE')) return;
        // What ends with the connection is whole when that is closed.
        const isWhole = (text: string): boolean =>
          request !== OLD && anonymous(text).length >= expected.length;
        const got = anonymous(await exchange(bed.listening.port, request, isWhole));
        assert.equal(got, expected);
        await until(
          () => idle(bed) > 0 === isKept && upstream.sockets.size === (isKept ? 1 : 0),
          'the connection is kept or closed',
        );
      });
    }

  for (const [name, bytes] of MALFORMED) {
    it(`502 for ${name}`, async () => {
      answer = bytes;
      split = false;
      const got = await exchange(bed.listening.port, GET, (text) => text.includes('}'));
      assert.match(got, /^(?:HTTP\/1\.1 102 Processing\r\n\r\n)*HTTP\/1\.1 502 [^]*UPSTREAM_PROTOCOL/);
      await until(() => upstream.sockets.size === 0, 'the connection is closed');
    });
  }

  it('discards an idle connection on which something comes', async () => {
    answer = lines('HTTP/1.1 200 OK', 'Content-Length: 0');
    await exchange(bed.listening.port, GET, (text) => text.endsWith('\r\n\r\n'));
    await until(() => idle(bed) === 1, 'the connection is idle');
    for (const socket of upstream.sockets)
      socket.write(lines('HTTP/1.1 200 OK', 'Content-Length: 6', 'Set-Cookie: of=another') + 'poison');
    await until(() => upstream.sockets.size === 0, 'it is closed');
    assert.doesNotMatch(
      await exchange(bed.listening.port, GET, (text) => text.endsWith('\r\n\r\n')),
      /poison|another/,
    );
  });
});

function idle(bed: Testbed): number {
  return bed.dataPath.instances()[0]!.instances[0]!.idleSockets;
}

async function sendSplit(
  socket: { write(bytes: Buffer): boolean; end(): unknown },
  bytes: Buffer,
  isEnd: boolean,
): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.from([byte]));
    await new Promise((next) => setImmediate(next));
  }
  if (isEnd) socket.end();
}
