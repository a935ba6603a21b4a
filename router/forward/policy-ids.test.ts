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
const TRACE = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

describe('ids and trusted proxies', () => {
  let upstream: Recorder;
  let bed: Testbed;
  before(async () => {
    upstream = await recorder((socket) => void socket.write(OK));
    bed = await testbed(() => routeTo('monolith'), [upstreamAt('monolith', upstream.url)]);
  });
  beforeEach(() => {
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

  it('keeps valid ids of the client', async () => {
    const received = await sent(
      lines(
        'GET / HTTP/1.1',
        'Host: shop',
        `traceparent: ${TRACE}`,
        'tracestate: a=b',
        'X-Request-Id: mine-1',
      ),
    );
    assert.match(
      received,
      new RegExp(`\r\ntraceparent: ${TRACE}\r\ntracestate: a=b\r\nX-Request-Id: mine-1\r\n`),
    );
    assert.equal(received.match(/traceparent|X-Request-Id/g)?.length, 2);
  });

  it('makes new ids for invalid ones', async () => {
    const received = await sent(
      lines(
        'GET / HTTP/1.1',
        'Host: shop',
        'traceparent: 00-0-0-0',
        'tracestate: a=b',
        'X-Request-Id: a b',
        'X-Request-Id: c',
      ),
    );
    assert.match(
      received,
      /\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r\nX-Request-Id: [0-9a-f]{32}\r\n\r\n$/,
    );
    assert.equal(received.match(/tracestate|X-Request-Id/g)?.length, 1);
  });

  it('adds to what a trusted proxy says', async () => {
    const trusting = await testbed(() => routeTo('monolith'), [upstreamAt('monolith', upstream.url)], {
      trust: () => TRUSTED,
    });
    await exchange(
      trusting.listening.port,
      lines(
        'GET / HTTP/1.1',
        'Host: shop',
        'X-Forwarded-For: 9.9.9.9, 10.0.0.1',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: outside',
        'X-Forwarded-Port: 443',
        'Forwarded: for=9.9.9.9',
      ),
      isWholeAnswer,
    );
    await trusting.close();
    const received = upstream.received.at(-1)!;
    for (const line of [
      'X-Forwarded-For: 9.9.9.9, 10.0.0.1, 127.0.0.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: outside',
      'X-Forwarded-Port: 443',
      'Forwarded: for=9.9.9.9, for=127.0.0.1;host=shop;proto=http',
    ])
      assert.ok(received.includes(`\r\n${line}\r\n`), line);
    assert.equal(received.match(/X-Forwarded-For/g)?.length, 1);
  });
});

const TRUSTED = ['127.0.0.0/8', '10.0.0.0/8'];
