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

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const get = (target: string, ...lines: string[]): string =>
  head(`GET ${target} HTTP/1.1`, 'Host: shop', ...lines);
const post = (...lines: string[]): string => head('POST /x HTTP/1.1', 'Host: shop', ...lines);
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: shop\r\n\r\n';

/** What it is, the bytes, and the status it is answered with. Nothing of it may reach an upstream as a complete request. */
const HOSTILE: readonly (readonly [string, string, number])[] = [
  ['no Host', head('GET / HTTP/1.1'), 400],
  ['two Hosts', head('GET / HTTP/1.1', 'Host: shop', 'Host: evil'), 400],
  ['the same Host twice', head('GET / HTTP/1.1', 'Host: shop', 'host: shop'), 400],
  ['an empty Host', head('GET / HTTP/1.1', 'Host:'), 400],
  ['a blank Host', head('GET / HTTP/1.1', 'Host: \t '), 400],
  ['a Host list', head('GET / HTTP/1.1', 'Host: shop, evil'), 400],
  ['Host with a path', head('GET / HTTP/1.1', 'Host: shop/x'), 400],
  ['Host with user info', head('GET / HTTP/1.1', 'Host: me@shop'), 400],
  ['Host with a bad port', head('GET / HTTP/1.1', 'Host: shop:99999'), 400],
  ['Host with a space', head('GET / HTTP/1.1', 'Host: sh op'), 400],
  ['absolute-form without Host', head('GET http://shop/ HTTP/1.1'), 400],
  [
    'Content-Length and Transfer-Encoding',
    `${post('Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\nX`,
    400,
  ],
  [
    'Transfer-Encoding and Content-Length',
    `${post('Transfer-Encoding: chunked', 'Content-Length: 4')}0\r\n\r\n`,
    400,
  ],
  ['two Content-Lengths', `${post('Content-Length: 3', 'Content-Length: 4')}abcd`, 400],
  ['the same Content-Length twice', `${post('Content-Length: 3', 'Content-Length: 3')}abc`, 400],
  ['a Content-Length list', `${post('Content-Length: 3, 3')}abc`, 400],
  ['a signed Content-Length', `${post('Content-Length: +3')}abc`, 400],
  ['a negative Content-Length', `${post('Content-Length: -1')}abc`, 400],
  ['a hexadecimal Content-Length', `${post('Content-Length: 0x3')}abc`, 400],
  ['an octal Content-Length', `${post('Content-Length: 010')}abcdefghij`, 400],
  ['an empty Content-Length', `${post('Content-Length:')}abc`, 400],
  ['a huge Content-Length', `${post('Content-Length: 99999999999999999999')}abc`, 400],
  ['an unknown coding', `${post('Transfer-Encoding: gzip')}${SMUGGLED}`, 400],
  ['chunked twice', `${post('Transfer-Encoding: chunked, chunked')}0\r\n\r\n`, 400],
  [
    'chunked in two lines',
    `${post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    400,
  ],
  ['gzip, chunked', `${post('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`, 400],
  ['chunked, identity', `${post('Transfer-Encoding: chunked, identity')}0\r\n\r\n`, 400],
  ['a quoted coding', `${post('Transfer-Encoding: "chunked"')}0\r\n\r\n`, 400],
  ['a coding with a vertical tab', `${post('Transfer-Encoding: \vchunked')}0\r\n\r\n`, 400],
  ['an empty Transfer-Encoding', `${post('Transfer-Encoding:')}${SMUGGLED}`, 400],
  [
    'Transfer-Encoding on 1.0',
    `${head('POST /x HTTP/1.0', 'Host: shop', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    400,
  ],
  ['a folded line', head('GET / HTTP/1.1', 'Host: shop', 'X: a', ' b'), 400],
  ['a folded first line', head('GET / HTTP/1.1', ' X: a', 'Host: shop'), 400],
  ['a folded Transfer-Encoding', `${post('Transfer-Encoding:', ' chunked')}0\r\n\r\n`, 400],
  ['bare LF in the head', 'GET / HTTP/1.1\nHost: shop\n\n', 400],
  ['bare LF behind a header', 'GET / HTTP/1.1\r\nHost: shop\nX: y\r\n\r\n', 400],
  ['bare CR in a value', get('/', 'X: a\rb'), 400],
  ['bare CR as a line end', 'GET / HTTP/1.1\r\nHost: shop\r\rX: y\r\n\r\n', 400],
  ['NUL in a value', get('/', 'X: a\0b'), 400],
  ['NUL in a name', get('/', 'X\0: a'), 400],
  ['DEL in a value', get('/', 'X: a\x7fb'), 400],
  ['a space before the colon', post('Content-Length : 3') + 'abc', 400],
  ['a tab before the colon', get('/', 'X\t: a'), 400],
  ['no colon', get('/', 'nonsense'), 400],
  ['an empty name', get('/', ': a'), 400],
  ['a name that is no token', get('/', 'X(y): a'), 400],
  ['a name with a high byte', get('/', 'X\xe9: a'), 400],
  ['GET *', head('GET * HTTP/1.1', 'Host: shop'), 400],
  ['a fragment', get('/x#y'), 400],
  ['a relative target', get('x'), 400],
  ['authority-form', get('shop:80'), 400],
  ['ftp', get('ftp://shop/x'), 400],
  ['absolute-form with user info', get('http://me@shop/x'), 400],
  ['absolute-form without a host', get('http:///x'), 400],
  ['a raw high byte in the target', get('/\xe9'), 400],
  ['a control character in the target', get('/\x01'), 400],
  ['two spaces', head('GET  / HTTP/1.1', 'Host: shop'), 400],
  ['a tab for a space', head('GET\t/ HTTP/1.1', 'Host: shop'), 400],
  ['a space at the end of the request line', head('GET / HTTP/1.1 ', 'Host: shop'), 400],
  ['no version', head('GET /', 'Host: shop'), 400],
  ['a lower-case version', head('GET / http/1.1', 'Host: shop'), 400],
  ['HTTP/2.0', head('PRI * HTTP/2.0', '', 'SM'), 505],
  ['HTTP/1.2', head('GET / HTTP/1.2', 'Host: shop'), 505],
  ['HTTP/0.9', 'GET /\r\n', 400],
  ['a method that is no token', head('G@T / HTTP/1.1', 'Host: shop'), 400],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['CONNECT', head('CONNECT shop:443 HTTP/1.1', 'Host: shop'), 405],
  ['TRACE', head('TRACE / HTTP/1.1', 'Host: shop'), 405],
  ['another Expect', get('/', 'Expect: 200-ok'), 417],
  ['a list in Expect', get('/', 'Expect: 100-continue, x'), 417],
  ['a head over 16 KiB', get('/', `X: ${'a'.repeat(17_000)}`), 431],
  ['a target over 16 KiB', get(`/${'a'.repeat(17_000)}`), 431],
  ['too many lines', get('/', ...Array.from({ length: 200 }, (_, index) => `X-${index}: y`)), 431],
  ['Connection naming Host', get('/', 'Connection: host'), 400],
  [
    'Connection naming Content-Length',
    `${post('Content-Length: 1', 'Connection: close, content-length')}x`,
    400,
  ],
  [
    'Connection naming Transfer-Encoding',
    `${post('Transfer-Encoding: chunked', 'Connection: transfer-encoding')}0\r\n\r\n`,
    400,
  ],
  ['Connection with nonsense', get('/', 'Connection: a b'), 400],
  ['a negative chunk size', `${post('Transfer-Encoding: chunked')}-1\r\n\r\n`, 400],
  ['a chunk size with 0x', `${post('Transfer-Encoding: chunked')}0x3\r\nabc\r\n0\r\n\r\n`, 400],
  ['a chunk size with a space', `${post('Transfer-Encoding: chunked')}3 \r\nabc\r\n0\r\n\r\n`, 400],
  ['a huge chunk size', `${post('Transfer-Encoding: chunked')}FFFFFFFFFFFFFFFFF\r\nabc`, 400],
  ['a chunk size ended by LF', `${post('Transfer-Encoding: chunked')}3\nabc\r\n0\r\n\r\n`, 400],
  ['a bare LF in a chunk extension', `${post('Transfer-Encoding: chunked')}3;a\nabc\r\n0\r\n\r\n`, 400],
  ['a chunk longer than its size', `${post('Transfer-Encoding: chunked')}3\r\nabcd\r\n0\r\n\r\n`, 400],
  ['a chunk ended by LF', `${post('Transfer-Encoding: chunked')}3\r\nabc\n0\r\n\r\n`, 400],
  [
    'an endless chunk extension',
    `${post('Transfer-Encoding: chunked')}3;${'a'.repeat(9000)}\r\nabc\r\n0\r\n\r\n`,
    400,
  ],
  ['a malformed trailer', `${post('Transfer-Encoding: chunked')}0\r\nX : y\r\n\r\n`, 400],
  [
    'an endless trailer section',
    `${post('Transfer-Encoding: chunked')}0\r\nX: ${'a'.repeat(9000)}\r\n\r\n`,
    400,
  ],
];

describe('what is refused', () => {
  let upstream: Recorder;
  let bed: Testbed;
  before(async () => {
    upstream = await recorder((socket, received) => {
      if (received.includes('/clean') && received.endsWith('\r\n\r\n')) socket.write(OK);
    });
    bed = await testbed(() => routeTo('monolith'), [upstreamAt('monolith', upstream.url)]);
  });
  after(async () => {
    await bed.close();
    await upstream.close();
  });

  for (const [name, bytes, status] of HOSTILE) {
    it(`${name}: ${status}`, async () => {
      const before = upstream.received.length;
      const answer = await exchange(bed.listening.port, bytes);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.match(answer, /\r\nConnection: close\r\n/);
      assert.match(answer, /application\/problem\+json/);
      assert.equal(answer.match(/HTTP\/1\.1 \d{3} /g)?.length, 1, 'one answer, and the connection is closed');
      for (const received of upstream.received.slice(before))
        assert.ok(!isCompleteRequest(received), `reached the upstream: ${JSON.stringify(received)}`);
      const clean = await exchange(bed.listening.port, get('/clean'), isWholeAnswer);
      assert.match(clean, /^HTTP\/1\.1 200 [^]*\r\n\r\nok$/);
    });
  }

  it('says with 405 what is allowed', async () => {
    assert.match(
      await exchange(bed.listening.port, head('TRACE / HTTP/1.1', 'Host: shop')),
      /\r\nAllow: GET, /,
    );
  });

  it('leaves the request before a faulty one alone', async () => {
    const answer = await exchange(bed.listening.port, `${get('/clean')}GET / HTTP/1.1\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 200 [^]*\r\n\r\nokHTTP\/1\.1 400 /);
  });
});

/** A chunked body that never ends is no complete request. */
function isCompleteRequest(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  return end !== -1 && !(/transfer-encoding: chunked/i.test(received) && !received.endsWith('0\r\n\r\n'));
}
