import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { Route } from './plan.ts';
import {
  OK,
  exchange,
  isWholeAnswer,
  recorder,
  routeTo,
  testbed,
  until,
  upstreamAt,
  type Recorder,
  type Testbed,
} from './testbed.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: shop\r\n\r\n';
const POST = 'POST /x HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\n\r\nx';
const answer = (status: number, body: string): string =>
  `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
type OnData = (socket: Socket, received: string, connection: number) => void;

describe('failures', () => {
  let monolith: Recorder;
  let service: Recorder;
  let bed: Testbed;
  let serve: OnData;
  let plan: Route;
  before(async () => {
    monolith = await recorder((socket) => void socket.write(answer(200, 'monolith')));
    service = await recorder((...all) => serve(...all));
  });
  beforeEach(async () => {
    plan = routeTo('service', { fallback: 'monolith' });
    bed = await testbed(
      () => plan,
      [
        { ...upstreamAt('service', service.url), timeouts: { connect: 500, response: 300, idle: 4000 } },
        upstreamAt('monolith', monolith.url),
      ],
    );
    monolith.received.length = 0;
    monolith.connections = 0;
    service.received.length = 0;
    service.connections = 0;
  });
  afterEach(async () => {
    await bed.close();
    for (const socket of [...monolith.sockets, ...service.sockets]) socket.destroy();
  });
  after(async () => {
    await monolith.close();
    await service.close();
  });
  const ask = (bytes = GET): Promise<string> => exchange(bed.listening.port, bytes, isWholeAnswer);
  const last = (): Testbed['observations'][number] => bed.observations.at(-1)!;

  const CASES: readonly (readonly [string, OnData, string, number])[] = [
    ['5xx', (socket) => void socket.write(answer(503, 'busy')), 'null', 503],
    ['a reset', (socket) => void socket.resetAndDestroy(), 'reset', 0],
    ['silence', () => undefined, 'timeout', 0],
    ['nonsense', (socket) => void socket.write('nonsense'), 'protocol', 0],
  ];
  for (const [name, onData, failure, status] of CASES) {
    it(`${name}: the fallback answers a read`, async () => {
      serve = onData;
      assert.match(await ask(), /\r\n\r\nmonolith$/);
      await until(() => bed.observations.length === 1, 'it is observed');
      assert.equal(last().answeredBy, 'monolith');
      assert.equal(String(last().own?.failure), failure);
      assert.equal(last().own?.status, status);
    });
    it(`${name}: nobody answers a write instead, and it was sent once`, async () => {
      serve = onData;
      const got = await ask(POST);
      assert.match(got, name === '5xx' ? / 503 [^]*busy$/ : name === 'silence' ? / 504 / : / 502 /);
      assert.equal(monolith.connections, 0);
      assert.equal(service.received.join('').match(/POST/g)?.length, 1);
    });
    it(`${name}: no fallback when the route says so`, async () => {
      serve = onData;
      plan = { ...plan, fallbackOn: { connect: false, timeout: false, serverError: false, missing: false } };
      assert.match(await ask(), / 50[234] /);
      assert.equal(monolith.connections, 0);
    });
  }

  it('a refused connection: the fallback answers', async () => {
    bed.dataPath.setUpstreams([
      upstreamAt('service', 'http://127.0.0.1:1'),
      upstreamAt('monolith', monolith.url),
    ]);
    assert.match(await ask(), /\r\n\r\nmonolith$/);
    assert.match(await ask(POST), / 502 /);
    assert.equal(bed.observations[0]?.own?.failure, 'connect');
  });

  it('the total never exceeds the time of the route', async () => {
    serve = () => undefined;
    plan = { ...plan, responseTimeout: 1000 };
    bed.dataPath.setUpstreams([upstreamAt('service', service.url), upstreamAt('monolith', service.url)]);
    const started = Date.now();
    assert.match(await ask(), / 504 /);
    assert.ok(Date.now() - started < 1900, `${Date.now() - started} ms`);
    assert.equal(service.connections, 2);
  });

  it('an answer that has begun is never replaced: the client is cut', async () => {
    serve = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
      setImmediate(() => socket.destroy());
    };
    const got = await exchange(bed.listening.port, GET);
    assert.match(got, /^HTTP\/1\.1 200 [^]*\r\n\r\npart$/);
    await until(() => bed.observations.length === 1, 'it is observed');
    assert.deepEqual([last().aborted, last().own?.failure, last().status], [true, 'reset', 200]);
    assert.equal(monolith.connections, 0);
  });

  it('chunks that end early never look whole', async () => {
    serve = (socket) => void socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n');
    assert.doesNotMatch(await exchange(bed.listening.port, GET), /\r\n0\r\n\r\n/);
  });

  it('a reused connection that died costs nothing: the read goes to a fresh one', async () => {
    serve = (socket, received, connection) => {
      if (connection === 0 && received.split('GET ').length > 3) socket.destroy();
      else socket.write(OK);
    };
    assert.match(await ask(), / 200 /);
    await until(() => bed.dataPath.instances()[0]!.instances[0]!.idleSockets === 1, 'the connection is idle');
    for (let count = 0; count < 4; count++) assert.match(await ask(), /\r\n\r\nok$/);
    const [status] = bed.dataPath.instances();
    assert.equal(status!.instances[0]!.failures, 0);
    assert.equal(status!.retries, 0);
    assert.ok(bed.observations.every((observation) => observation.answeredBy === 'service'));
  });

  it('a client that goes away is gone upstream too, and nobody is blamed', async () => {
    serve = () => undefined;
    const client = connect(bed.listening.port, '127.0.0.1');
    client.write(GET);
    await until(() => service.sockets.size === 1, 'the service is asked');
    client.destroy();
    await until(() => service.sockets.size === 0, 'the connection is closed');
    assert.equal(bed.dataPath.instances()[0]!.instances[0]!.failures, 0);
    assert.deepEqual([last().aborted, last().own], [true, null]);
  });

  it('opens the breaker after failures in a row, asks nobody meanwhile, and closes it by one probe', async () => {
    serve = (socket) => void socket.destroy();
    for (let count = 0; count < 5; count++) assert.match(await ask(POST), / 502 /);
    assert.equal(bed.dataPath.instances()[0]!.instances[0]!.breaker, 'open');
    const asked = service.connections;
    assert.match(await ask(POST), / 503 [^]*Retry-After: 1/);
    assert.match(await ask(), /monolith$/);
    assert.equal(last().own?.failure, 'open');
    assert.equal(service.connections, asked);
    serve = (socket) => void socket.write(OK);
    let isBack = false;
    for (const end = Date.now() + 3000; Date.now() < end && !isBack;) isBack = (await ask()).endsWith('ok');
    assert.ok(isBack);
    assert.equal(bed.dataPath.instances()[0]!.instances[0]!.breaker, 'closed');
  });

  it('turns away what is too much, at once', async () => {
    serve = () => undefined;
    bed.dataPath.setUpstreams([
      { ...upstreamAt('service', service.url), maxInFlight: 1 },
      upstreamAt('monolith', monolith.url),
    ]);
    const held = connect(bed.listening.port, '127.0.0.1');
    held.write(GET);
    await until(() => bed.dataPath.instances()[0]!.inFlight === 1, 'one is under way');
    assert.match(await ask(), /^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/);
    assert.equal(bed.dataPath.instances()[0]!.inFlight, 1, 'it did not wait for the one under way');
    held.destroy();
  });
});
