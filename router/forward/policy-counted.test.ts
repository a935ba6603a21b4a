import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CHUNKED, SMUGGLED, chunked, get, head, post } from './raw-request.ts';
import { selfSigned } from './self-signed.ts';
import { exchange, routeTo, testbed, until, upstreamAt, type Testbed } from './testbed.ts';

const H2C = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
] as const;
const length = (text: string): string => `Content-Length: ${text.length}`;

/** What looks like an attack and is valid: the bytes, and the requests that the upstream counts, as method, target, Host and body. */
const COUNTED: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'a GET with a request in its body',
    get('/x', length(SMUGGLED)) + SMUGGLED,
    [`GET /x shop ${JSON.stringify(SMUGGLED)}`],
  ],
  [
    'a POST with a request in its body',
    post(length(SMUGGLED)) + SMUGGLED,
    [`POST /x shop ${JSON.stringify(SMUGGLED)}`],
  ],
  ['a request in a chunk', post(CHUNKED) + chunked(SMUGGLED), [`POST /x shop ${JSON.stringify(SMUGGLED)}`]],
  ['a last chunk in a chunk', post(CHUNKED) + chunked('0\r\n\r\n'), ['POST /x shop "0\\r\\n\\r\\n"']],
  [
    'CHUNKED between spaces',
    `${post('Transfer-Encoding: \t CHUNKED \t')}1\r\nx\r\n0\r\n\r\n`,
    ['POST /x shop "x"'],
  ],
  ['a length between spaces', `${post('Content-Length: \t 3 \t')}abc`, ['POST /x shop "abc"']],
  ['chunk extensions', `${post(CHUNKED)}3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n`, ['POST /x shop "abc"']],
  [
    'zeros before a chunk size',
    `${post(CHUNKED)}00a\r\n0123456789\r\n000\r\n\r\n`,
    ['POST /x shop "0123456789"'],
  ],
  [
    'trailers that frame',
    `${post(CHUNKED)}1\r\nx\r\n0\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\nHost: evil\r\n\r\n`,
    ['POST /x shop "x"'],
  ],
  [
    'Transfer_Encoding',
    `${post('Transfer_Encoding: chunked', 'Content-Length: 3')}abc`,
    ['POST /x shop "abc"'],
  ],
  ['no length at all', post(), ['POST /x shop ""']],
  ['no length, and a request behind', post() + SMUGGLED, ['POST /x shop ""', 'GET /smuggled shop ""']],
  ['an upgrade to h2c', get('/x', ...H2C), ['GET /x shop ""']],
  ['an upgrade to h2c with a body', `${post(...H2C, 'Content-Length: 3')}abc`, ['POST /x shop "abc"']],
  [
    'an upgrade to h2c with a request behind',
    get('/x', ...H2C) + SMUGGLED,
    ['GET /x shop ""', 'GET /smuggled shop ""'],
  ],
  [
    'an upgrade to WebSocket with a body',
    get('/x', 'Connection: Upgrade', 'Upgrade: websocket', length(SMUGGLED)) + SMUGGLED,
    [`GET /x shop ${JSON.stringify(SMUGGLED)}`],
  ],
  ['absolute-form with another Host', head('GET http://other/x HTTP/1.1', 'Host: shop'), ['GET /x other ""']],
  ['a target of two slashes', get('//other/x'), ['GET //other/x shop ""']],
  [
    'a request in the query',
    get('/x?%0d%0a%0d%0aGET%20/smuggled'),
    ['GET /x?%0d%0a%0d%0aGET%20/smuggled shop ""'],
  ],
  ['an empty line before', `\r\n${get('/x')}`, ['GET /x shop ""']],
  [
    'a kept 1.0 with a request in its body',
    head('POST /x HTTP/1.0', 'Host: shop', 'Connection: keep-alive', length(SMUGGLED)) + SMUGGLED,
    [`POST /x shop ${JSON.stringify(SMUGGLED)}`],
  ],
  ['a 1.0 with a request behind', `${head('GET /x HTTP/1.0', 'Host: shop')}${SMUGGLED}`, ['GET /x shop ""']],
  ['Connection: close with a request behind', get('/x', 'Connection: close') + SMUGGLED, ['GET /x shop ""']],
];

for (const protocol of ['http', 'https'] as const) {
  describe(`what is valid over ${protocol}, and counted by a strict upstream`, () => {
    const seen: string[] = [];
    let server: Server;
    let bed: Testbed;
    before(async () => {
      server = createServer((request, response) => {
        let body = '';
        request.on('data', (bytes: Buffer) => (body += bytes.toString('latin1')));
        request.on('end', () => {
          const { method, url, headers } = request;
          const one = `${method} ${url} ${headers.host} ${JSON.stringify(body)}`;
          seen.push(headers.upgrade === undefined ? one : `${one} ${headers.upgrade}`);
          response.setHeader('X-Seen', encodeURIComponent(one));
          response.end();
        });
      });
      server.on('clientError', (error) => seen.push(error.message));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const listen = protocol === 'https' ? { tls: selfSigned('shop') } : {};
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      bed = await testbed(() => routeTo('monolith'), [upstreamAt('monolith', url)], { listen });
    });
    after(async () => {
      await bed.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    });
    beforeEach(() => void (seen.length = 0));
    const say = async (bytes: string, answers: number): Promise<string[]> => {
      const text = await exchange(
        bed.listening.port,
        bytes,
        (all) => all.split('HTTP/1.1 ').length > answers && all.endsWith('\r\n\r\n'),
        protocol === 'https',
      );
      return [...text.matchAll(/\r\nX-Seen: (\S+)\r\n/g)].map(([, one]) => decodeURIComponent(one!));
    };

    for (const [name, bytes, requests] of COUNTED) {
      it(`${name}: ${requests.length}`, async () => {
        assert.deepEqual(await say(bytes, requests.length), requests);
        assert.deepEqual(await say(get('/clean'), 1), ['GET /clean shop ""']);
        await until(() => bed.dataPath.connections() === 0, 'the connections are closed');
        assert.deepEqual(seen, [...requests, 'GET /clean shop ""']);
      });
    }
  });
}
