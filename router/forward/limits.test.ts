import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { Limits } from './limits.ts';
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

describe('limits and draining', () => {
  const opened: { close(): Promise<void> }[] = [];
  const clients: Socket[] = [];
  const open = async (
    limits: Partial<Limits>,
    onData: (socket: Socket, received: string) => void = (socket) => void socket.write(OK),
  ): Promise<[Testbed, Recorder]> => {
    const upstream = await recorder(onData);
    const bed = await testbed(() => routeTo('monolith'), [upstreamAt('monolith', upstream.url)], { limits });
    opened.push(bed, upstream);
    return [bed, upstream];
  };
  const client = (bed: Testbed): { socket: Socket; text: () => string; isClosed: () => boolean } => {
    const socket = connect(bed.listening.port, '127.0.0.1');
    clients.push(socket);
    let text = '';
    let isClosed = false;
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => (isClosed = true));
    return { socket, text: () => text, isClosed: () => isClosed };
  };
  afterEach(async () => {
    for (const socket of clients.splice(0)) socket.destroy();
    for (const it of opened.splice(0)) await it.close();
  });

  it('cuts a head that comes a byte at a time', async () => {
    const [bed, upstream] = await open({ headMs: 300 });
    const slow = client(bed);
    const timer = setInterval(() => slow.socket.write('G'), 50);
    await until(() => slow.isClosed(), 'it is cut', 2000);
    clearInterval(timer);
    assert.match(slow.text(), /^HTTP\/1\.1 408 /);
    assert.equal(upstream.connections, 0);
  });

  it('closes a connection that says nothing', async () => {
    const [bed] = await open({ headMs: 200, idleMs: 200 });
    const silent = client(bed);
    const idle = client(bed);
    idle.socket.write(GET);
    await until(() => isWholeAnswer(idle.text()), 'an answer');
    await until(() => silent.isClosed() && idle.isClosed(), 'both are closed', 2000);
    assert.equal(silent.text(), '');
  });

  it('cuts a body that comes too slowly, even when it comes steadily', async () => {
    const [bed, upstream] = await open({ bodyWindowMs: 300, bodyWindowBytes: 100 }, () => undefined);
    const slow = client(bed);
    slow.socket.write('POST /x HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n');
    const timer = setInterval(() => slow.socket.write('a'), 50);
    await until(() => slow.isClosed(), 'it is cut', 2000);
    clearInterval(timer);
    assert.match(slow.text(), /^HTTP\/1\.1 408 /);
    await until(() => upstream.sockets.size === 0, 'the upstream is let go');
    assert.equal(bed.dataPath.instances()[0]!.instances[0]!.failures, 0);
    assert.equal(bed.observations[0]?.aborted, true);
  });

  it('cuts a client that does not read its answer', async () => {
    const [bed, upstream] = await open({ slowReaderMs: 300 }, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
      const more = (): void => {
        while (socket.writable && socket.write(Buffer.alloc(2 ** 20)));
        if (socket.writable) socket.once('drain', more);
      };
      more();
    });
    const lazy = client(bed);
    lazy.socket.pause();
    lazy.socket.write(GET);
    await until(() => upstream.connections === 1, 'it is asked');
    await until(() => bed.dataPath.connections() === 0 && upstream.sockets.size === 0, 'it is cut');
    assert.equal(bed.observations[0]?.aborted, true);
  });

  it('tells a connection too many', async () => {
    const [bed] = await open({ connections: 1 });
    const first = client(bed);
    first.socket.write(GET);
    await until(() => isWholeAnswer(first.text()), 'the first is served');
    assert.match(await exchange(bed.listening.port, GET), /^HTTP\/1\.1 503 [^]*Retry-After: 1/);
    first.socket.write(GET);
    await until(() => first.text().split('200 OK').length === 3, 'the first is still served');
  });

  it('answers pipelined requests in order, one at a time', async () => {
    let most = 0;
    let open_ = 0;
    const [bed] = await open({}, (socket, received) => {
      most = Math.max(most, ++open_);
      const path = received.slice(received.lastIndexOf('GET ') + 4).split(' ')[0]!;
      setTimeout(() => {
        open_--;
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
      }, 5);
    });
    const pipe = client(bed);
    pipe.socket.write(Array.from({ length: 20 }, (_, index) => GET.replace('/x', `/${index}`)).join(''));
    await until(() => pipe.text().split('200 OK').length === 21, 'all are answered');
    assert.deepEqual(
      [...pipe.text().matchAll(/\r\n\r\n\/(\d+)/g)].map(([, index]) => Number(index)),
      Array.from({ length: 20 }, (_, index) => index),
    );
    assert.equal(most, 1);
  });

  it('drains: what is under way ends, idle clients get one last answer, then all is closed', async () => {
    const held: Socket[] = [];
    const [bed] = await open(
      { drainGraceMs: 500 },
      (socket, received) => void (received.includes('/slow') ? held.push(socket) : socket.write(OK)),
    );
    const idle = client(bed);
    idle.socket.write(GET);
    await until(() => isWholeAnswer(idle.text()), 'an answer');
    const silent = client(bed);
    silent.socket.write(GET);
    await until(() => isWholeAnswer(silent.text()), 'an answer');
    const busy = client(bed);
    busy.socket.write(GET.replace('/x', '/slow'));
    await until(() => held.length === 1, 'a slow one is under way');
    await bed.listening.close();
    let isDrained = false;
    const drained = bed.dataPath.drain(5000).then(() => (isDrained = true));
    idle.socket.write(GET);
    await until(() => idle.text().split('200 OK').length === 3, 'its last answer');
    assert.match(idle.text(), /\r\nConnection: close\r\n\r\nok$/);
    await until(() => silent.isClosed(), 'the silent one is closed');
    assert.equal(isDrained, false);
    held[0]!.write(OK);
    await until(() => isWholeAnswer(busy.text()), 'the slow one is answered');
    assert.match(busy.text(), /\r\nConnection: close\r\n/);
    await drained;
    assert.equal(bed.dataPath.connections(), 0);
  });

  it('drains within its deadline, whatever is under way', async () => {
    const [bed] = await open({}, () => undefined);
    const busy = client(bed);
    busy.socket.write(GET);
    await until(() => bed.dataPath.instances()[0]!.inFlight === 1, 'it is under way');
    const started = Date.now();
    await bed.dataPath.drain(300);
    assert.ok(Date.now() - started < 800);
    await until(() => busy.isClosed(), 'it is cut');
  });

  it('leaves nothing behind of 1,000 requests that were aborted', async () => {
    const [bed, upstream] = await open({}, () => undefined);
    for (let round = 0; round < 20; round++) {
      const batch = Array.from({ length: 50 }, () => client(bed));
      for (const { socket } of batch) socket.write(GET);
      await until(() => bed.dataPath.instances()[0]!.inFlight === 50, 'all are under way');
      for (const { socket } of batch) socket.destroy();
      await until(() => bed.dataPath.connections() === 0 && upstream.sockets.size === 0, 'all is closed');
    }
    assert.equal(bed.dataPath.instances()[0]!.inFlight, 0);
    assert.equal(bed.observations.filter((observation) => observation.aborted).length, 1000);
  });
});
