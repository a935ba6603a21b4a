import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import {
  OK,
  exchange,
  recorder,
  routeTo,
  testbed,
  until,
  upstreamAt,
  type Recorder,
  type Testbed,
} from './testbed.ts';

const HANDSHAKE = [
  'GET /%77s/../chat?x HTTP/1.1',
  'Host: shop',
  'Connection: keep-alive, Upgrade, X-Mine',
  'Upgrade: websocket',
  'X-Mine: 1',
  'Strangler-X: 1',
  'X-Forwarded-For: 6.6.6.6',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '',
  '',
].join('\r\n');
const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n';

describe('WebSocket', () => {
  let upstream: Recorder;
  let bed: Testbed;
  let serve: (socket: Socket, received: string) => void;
  before(async () => {
    upstream = await recorder((socket, received) => serve(socket, received));
  });
  beforeEach(async () => {
    bed = await testbed(
      () => routeTo('m'),
      [{ ...upstreamAt('m', upstream.url), timeouts: { connect: 500, response: 300, idle: 1000 } }],
    );
  });
  afterEach(async () => {
    await bed.close();
    await until(() => upstream.sockets.size === 0, 'the upstream is let go');
  });
  after(() => upstream.close());

  it('passes both ways, with our path and our headers, and ends with either side', async () => {
    serve = (socket, received) =>
      void socket.write(received.endsWith('\r\n\r\n') ? `${SWITCHED}hello` : 'echo');
    const client = connect(bed.listening.port, '127.0.0.1');
    let text = '';
    let isClosed = false;
    client.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    client.on('close', () => (isClosed = true));
    client.write(HANDSHAKE);
    await until(() => text.endsWith('\r\n\r\nhello'), 'it is upgraded');
    const received = upstream.received.at(-1)!;
    assert.match(received, /^GET \/chat\?x HTTP\/1\.1\r\n/);
    assert.match(received, /\r\nx-forwarded-for: 127\.0\.0\.1\r\n/i);
    assert.match(received, /\r\nhost: shop\r\n/i);
    assert.doesNotMatch(received, /x-mine|strangler-x|6\.6\.6\.6/i);
    client.write('ping');
    await until(() => text.endsWith('echo'), 'the echo');
    assert.equal(bed.observations[0]?.status, 101);
    assert.equal(bed.observations[0]?.answeredBy, 'm');
    assert.equal(bed.dataPath.connections(), 1);
    for (const socket of upstream.sockets) socket.destroy();
    await until(() => isClosed && bed.dataPath.connections() === 0, 'the client is closed too');
  });

  it('lets the upstream go when the client does', async () => {
    serve = (socket) => void socket.write(SWITCHED);
    const client = connect(bed.listening.port, '127.0.0.1');
    client.write(HANDSHAKE);
    await until(() => bed.observations.length === 1, 'it is upgraded');
    client.resetAndDestroy();
    await until(() => upstream.sockets.size === 0, 'the upstream is let go');
  });

  it('passes a refusal on', async () => {
    serve = (socket) => void socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    assert.match(await exchange(bed.listening.port, HANDSHAKE), /^HTTP\/1\.1 403 Forbidden[^]*no$/);
    assert.equal(bed.observations[0]?.status, 403);
  });

  it('gives up a handshake that is not answered', async () => {
    serve = () => undefined;
    assert.match(await exchange(bed.listening.port, HANDSHAKE), /^HTTP\/1\.1 504 /);
    assert.equal(bed.observations[0]?.own?.failure, 'timeout');
    assert.equal(bed.dataPath.instances()[0]!.inFlight, 0);
  });

  it('answers 502 when nobody listens', async () => {
    bed.dataPath.setUpstreams([upstreamAt('m', 'http://127.0.0.1:1')]);
    assert.match(await exchange(bed.listening.port, HANDSHAKE), /^HTTP\/1\.1 502 /);
    assert.equal(bed.observations[0]?.own?.failure, 'connect');
  });

  it('ignores an Upgrade that Connection does not name, or that has a body', async () => {
    serve = (socket) => void socket.write(OK);
    for (const bytes of [HANDSHAKE.replace(', Upgrade', ''), HANDSHAKE.replace('GET', 'POST')]) {
      assert.match(await exchange(bed.listening.port, bytes, (text) => text.endsWith('ok')), / 200 OK/);
      assert.doesNotMatch(upstream.received.at(-1)!, /^upgrade:/im);
    }
  });
});
