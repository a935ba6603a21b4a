import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  exchange,
  isWholeAnswer,
  routeTo,
  testbed,
  upstreamAt,
  type Testbed,
} from '../../router/forward/testbed.ts';
import { DEFAULT_HEADERS } from '../../router/shadow/compare/headers.ts';
import type { Result } from '../../router/shadow/compare/compare.ts';
import type { Shadowed } from '../../router/shadow/options.ts';
import { createShadow, type Shadow, type ShadowOptions } from '../../router/shadow/shadow.ts';
import { startUpstream, type Upstream } from '../support/router.ts';
import { until } from '../support/until.ts';

const OF: Shadowed = {
  feature: 'images',
  route: 'POST /images',
  service: 's',
  default: 'm',
  shadowsWrites: true,
  rules: {
    sample: 1,
    maxBody: 100_000,
    compare: 'json',
    headers: DEFAULT_HEADERS,
    imageDistance: 0.1,
    inFlight: 16,
    again: 1,
    timeouts: { connect: 10_000, response: 10_000, total: 20_000 },
  },
};

describe('shadowing on the data path', () => {
  let monolith: Upstream;
  let service: Upstream;
  let shadow: Shadow;
  let bed: Testbed;
  let folder: string;
  const results: Result[] = [];
  /** What the sides saw of each request: head and body. */
  const seen: Record<string, { headers: IncomingMessage['headers']; method: string; body: string }[]> = {};

  const echo =
    (name: string) =>
    (request: IncomingMessage, response: ServerResponse): void => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        seen[name]!.push({ headers: request.headers, method: request.method!, body });
        response.writeHead(201, { 'content-type': 'application/json' });
        // In pieces without a length, so in chunks.
        response.write('{"bytes":');
        response.end(`${body.length}}`);
      });
    };

  async function start(of: Shadowed = OF, more: Partial<ShadowOptions> = {}): Promise<void> {
    shadow = createShadow({
      folder,
      urls: (name) => [name === 'm' ? monolith.url : service.url],
      onResult: (_feature, result) => void results.push(result),
      log: { warn: (fields, message) => console.error(message, fields) },
      ...more,
    });
    const route = routeTo('m', { tap: shadow.tapFor(of) });
    bed = await testbed(() => route, [upstreamAt('m', monolith.url), upstreamAt('s', service.url)]);
  }
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'shadow-'));
    monolith = await startUpstream('m');
    service = await startUpstream('s');
    results.length = 0;
    seen['m'] = [];
    seen['s'] = [];
    monolith.handle = echo('m');
    service.handle = echo('s');
  });
  afterEach(async () => {
    await shadow.close();
    await bed.close();
    await monolith.close();
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const post = (lines: string, body: string): Promise<string> =>
    exchange(
      bed.listening.port,
      `POST /images?w=1 HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n${lines}\r\n${body}`,
      (text) => isWholeAnswer(text),
    );

  it('repeats a write where the route says so: the same body and key, marked, once, and the primary only once', async () => {
    await start();
    const body = 'x'.repeat(50_000);
    assert.match(
      await post(`Idempotency-Key: k1\r\nContent-Length: ${body.length}\r\n`, body),
      /^HTTP\/1.1 201 .*50000/s,
    );
    await until(() => results.length === 1, 'the comparison');
    assert.deepEqual(results, ['match']);
    assert.equal(seen['m']!.length, 1);
    assert.equal(seen['s']!.length, 1);
    const copy = seen['s']![0]!;
    assert.equal(copy.body, body);
    assert.equal(copy.headers['idempotency-key'], 'k1');
    assert.equal(copy.headers['strangler-shadow'], '1');
    assert.equal(seen['m']![0]!.headers['strangler-shadow'], undefined);
  });

  it('repeats a write whose body came in chunks', async () => {
    await start();
    await post('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n');
    await until(() => results.length === 1, 'the comparison');
    assert.equal(seen['s']![0]!.body, 'abcdefg');
    assert.deepEqual(results, ['match']);
  });

  it('does not repeat a write that is longer than is kept', async () => {
    await start();
    const body = 'x'.repeat(150_000);
    await post(`Content-Length: ${body.length}\r\n`, body);
    await until(() => shadow.parity.of('images').dropped.tooLong === 1, 'the drop');
    assert.equal(seen['s']!.length, 0);
    assert.equal(shadow.stats().copyBytes, 0);
  });

  it('repeats no write where the route does not say so', async () => {
    await start({ ...OF, shadowsWrites: false });
    await post('Content-Length: 1\r\n', 'x');
    assert.equal(seen['m']!.length, 1);
    assert.equal(seen['s']!.length, 0);
    assert.deepEqual(shadow.parity.of('images').dropped, {});
  });

  it('samples the share that it is told', async () => {
    const numbers = [0.05, 0.5, 0.09, 0.1, 0.95];
    const random = (): number => numbers.shift() ?? 0.99;
    const rules = { ...OF.rules, sample: 0.1, again: 0 };
    await start({ ...OF, rules }, { random, limits: { firstAgain: 0 } });
    const tap = shadow.tapFor({ ...OF, rules });
    assert.deepEqual(
      numbers.slice().map(() => tap.watch('GET') !== null),
      [true, false, true, false, false],
    );
  });

  it('gives back all memory, be the client gone, the answer cut or the shadow silent', async () => {
    const timeouts = { connect: 1000, response: 1000, total: 2000 };
    await start({ ...OF, rules: { ...OF.rules, again: 0, timeouts } }, { limits: { firstAgain: 0 } });
    let turn = 0;
    monolith.handle = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 100 });
      response.write('half of it');
      if (turn++ % 2 === 0) setImmediate(() => response.destroy());
      else response.end('y'.repeat(90));
    };
    service.handle = () => undefined;
    for (let round = 0; round < 10; round++)
      await exchange(bed.listening.port, 'GET /images HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n');
    const dropped = (): number =>
      Object.values(shadow.parity.of('images').dropped).reduce((sum, count) => sum + count, 0);
    await until(
      () => dropped() === 10,
      () => JSON.stringify(shadow.parity.of('images')),
    );
    await until(
      () => shadow.stats().copyBytes === 0 && shadow.stats().inFlight === 0,
      'everything given back',
    );
    assert.equal(shadow.parity.of('images').dropped.aborted, 5);
  });

  it('never throws into the data path', async () => {
    await start(
      { ...OF, shadowsWrites: false },
      {
        urls: () => {
          throw new Error('planted');
        },
        log: { warn: () => undefined },
      },
    );
    const answer = await exchange(
      bed.listening.port,
      'GET /images HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n',
    );
    assert.match(answer, /^HTTP\/1.1 201 /);
    await until(() => (shadow.parity.of('images').dropped.failed ?? 0) > 0, 'the drop');
    assert.equal(shadow.stats().copyBytes, 0);
  });
});
