import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
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

const POST = 'POST /up HTTP/1.1\r\nHost: shop\r\n';

describe('bodies', () => {
  const opened: { close(): Promise<void> }[] = [];
  const open = async (
    onData: (socket: Socket, received: string, connection: number) => void,
    plan = {},
    limits = {},
  ): Promise<[Testbed, Recorder]> => {
    const upstream = await recorder(onData);
    const bed = await testbed(() => routeTo('monolith', plan), [upstreamAt('monolith', upstream.url)], {
      limits,
    });
    opened.push(bed, upstream);
    return [bed, upstream];
  };
  afterEach(async () => {
    for (const it of opened.splice(0)) await it.close();
  });

  it('stops reading a client whose upstream does not read', async () => {
    const [bed] = await open((socket) => socket.pause());
    const client = connect(bed.listening.port, '127.0.0.1');
    client.on('error', () => client.destroy());
    client.write(`${POST}Content-Length: 1000000000\r\n\r\n`);
    let isStuck = false;
    const piece = Buffer.alloc(2 ** 20);
    for (let count = 0; count < 100 && !isStuck; count++) {
      isStuck = await new Promise<boolean>((done) => {
        if (client.write(piece)) return done(false);
        const timer = setTimeout(() => done(true), 500);
        client.once('drain', () => {
          clearTimeout(timer);
          done(false);
        });
      });
    }
    assert.ok(isStuck, '100 MB went somewhere');
    client.destroy();
  });

  it('stops reading an upstream whose client does not read', async () => {
    let written = 0;
    const [bed] = await open((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
      const more = (): void => {
        while (written < 100 * 2 ** 20) {
          written += 2 ** 20;
          if (!socket.write(Buffer.alloc(2 ** 20))) return void socket.once('drain', more);
        }
      };
      more();
    });
    const client = connect(bed.listening.port, '127.0.0.1', () => client.pause());
    client.write('GET / HTTP/1.1\r\nHost: shop\r\n\r\n');
    let before = -1;
    await until(() => {
      const isStill = written === before && written > 0;
      before = written;
      return isStill && bed.dataPath.instances()[0]!.inFlight === 1;
    }, 'nothing more is read');
    assert.ok(written < 50 * 2 ** 20, `${written} bytes were read`);
    client.destroy();
  });

  it('leaves the pieces of a body alone until its upstream has taken them', async () => {
    let stalled: Socket | undefined;
    const hash = createHash('sha256');
    const [bed] = await open((socket) => {
      if (stalled) return;
      stalled = socket.pause();
      socket.on('data', (chunk: Buffer) => hash.update(chunk));
    });
    const body = randomBytes(16 * 2 ** 20);
    const client = connect({ port: bed.listening.port, host: '127.0.0.1', noDelay: true });
    client.write(`${POST}Content-Length: ${body.length}\r\n\r\n`);
    await until(() => stalled !== undefined, 'the head is there');
    // Pieces that no read fills, so that several are on their way at the moment when nothing more is taken.
    for (let at = 0; at < body.length; at += 5000) {
      client.write(body.subarray(at, at + 5000));
      await new Promise((next) => setImmediate(next));
    }
    assert.ok(client.writableLength > 0, 'nobody had to wait');
    stalled!.resume();
    await until(() => stalled!.bytesRead > body.length && client.writableLength === 0, 'all is there');
    assert.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'));
    client.destroy();
  });

  it('answers 413 at once for a length over the limit, and asks nobody', async () => {
    const [bed, upstream] = await open(() => undefined, { maxBody: 10 });
    const answer = await exchange(
      bed.listening.port,
      `${POST}Content-Length: 11\r\nExpect: 100-continue\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.equal(upstream.connections, 0);
  });

  it('answers 413 when chunks grow over the limit, and the upstream gets no complete request', async () => {
    const [bed, upstream] = await open(() => undefined, { maxBody: 10 });
    const answer = await exchange(bed.listening.port, [
      `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n`,
      '6\r\nabcdef\r\n0\r\n\r\n',
    ]);
    assert.match(answer, /^HTTP\/1\.1 413 /);
    await until(() => upstream.sockets.size === 0, 'the upstream is cut');
    assert.doesNotMatch(upstream.received.join(''), /\r\n0\r\n\r\n$/);
  });

  it('lets exactly the limit pass', async () => {
    const [bed] = await open(
      (socket, received) => void (received.endsWith('0123456789') && socket.write(OK)),
      { maxBody: 10 },
    );
    assert.match(
      await exchange(bed.listening.port, `${POST}Content-Length: 10\r\n\r\n0123456789`, isWholeAnswer),
      / 200 OK/,
    );
  });

  it('brings an early answer to a client that still sends, and lets it read', async () => {
    const [bed] = await open(
      (socket) => void socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno'),
    );
    const client = connect(bed.listening.port, '127.0.0.1');
    let answer = '';
    let isReset = false;
    client.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    client.on('error', () => (isReset = true));
    client.write(`${POST}Content-Length: 100000000\r\n\r\n`);
    const started = Date.now();
    let sent = 0;
    for (; !answer.endsWith('no') && Date.now() - started < 5000; sent += 65_536) {
      client.write(Buffer.alloc(65_536));
      await new Promise((next) => setTimeout(next, 2));
    }
    assert.match(answer, /^HTTP\/1\.1 401 [^]*\r\nConnection: close\r\n[^]*no$/);
    assert.ok(sent < 100_000_000, `${sent} bytes were sent`);
    assert.equal(isReset, false);
    client.destroy();
  });

  it('relays Expect: 100-continue', async () => {
    const [bed] = await open((socket, received) => {
      if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      else if (received.endsWith('abc')) socket.write(OK);
    });
    const client = connect(bed.listening.port, '127.0.0.1');
    let answer = '';
    client.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      if (answer === 'HTTP/1.1 100 Continue\r\n\r\n') client.write('abc');
    });
    client.write(`${POST}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n`);
    await until(() => isWholeAnswer(answer.slice(25)), 'the answer is whole');
    client.destroy();
  });

  it('streams an answer as it comes', async () => {
    const [bed, upstream] = await open(
      (socket) =>
        void socket.write(
          'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n',
        ),
    );
    const client = connect(bed.listening.port, '127.0.0.1');
    let answer = '';
    client.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    client.write('GET /events HTTP/1.1\r\nHost: shop\r\n\r\n');
    await until(() => answer.endsWith('\r\n\r\n'), 'the head is there');
    for (const event of ['a', 'b']) {
      for (const socket of upstream.sockets) socket.write(`1\r\n${event}\r\n`);
      await until(() => answer.endsWith(`1\r\n${event}\r\n`), 'the event is there');
    }
    client.destroy();
  });
});
