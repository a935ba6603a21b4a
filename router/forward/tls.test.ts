import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { selfSigned } from './self-signed.ts';
import {
  OK,
  isWholeAnswer,
  recorder,
  routeTo,
  testbed,
  until,
  upstreamAt,
  type Recorder,
} from './testbed.ts';

describe('TLS', () => {
  const pairs = new Map<string, ReturnType<typeof selfSigned>>();
  let upstream: Recorder;
  before(async () => {
    for (const name of ['first', 'second']) pairs.set(name, selfSigned(name));
    upstream = await recorder(
      (socket, received) => void (/(?:\r\n\r\n|END)$/.test(received) && socket.write(OK)),
    );
  });
  after(async () => {
    await upstream.close();
  });
  const pair = (name: string): ReturnType<typeof selfSigned> => pairs.get(name)!;
  const ask = async (port: number, bytes: string): Promise<{ text: string; name: string }> => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    let text = '';
    let name = '';
    socket.on('secureConnect', () => (name = String(socket.getPeerCertificate().subject.CN)));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.write(bytes);
    await until(() => isWholeAnswer(text) || socket.destroyed, 'the answer is whole');
    socket.destroy();
    return { text, name };
  };

  it('serves https, says so upstream, and takes a new certificate while it runs', async () => {
    const bed = await testbed(() => routeTo('m'), [upstreamAt('m', upstream.url)], {
      listen: { tls: pair('first') },
    });
    assert.match(bed.listening.url, /^https:/);
    const body = 'x'.repeat(100_000);
    const first = await ask(
      bed.listening.port,
      `POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: ${body.length + 3}\r\n\r\n${body}END`,
    );
    assert.match(first.text, /^HTTP\/1\.1 200 /);
    assert.equal(first.name, 'first');
    assert.match(upstream.received.at(-1)!, /\r\nX-Forwarded-Proto: https\r\n[^]*;proto=https\r\n/);
    bed.listening.setTls(pair('second'));
    const second = await ask(bed.listening.port, 'GET / HTTP/1.1\r\nHost: shop\r\n\r\n');
    assert.equal(second.name, 'second');
    const refused = await ask(bed.listening.port, 'GET / HTTP/1.1\r\n\r\n');
    assert.match(refused.text, /^HTTP\/1\.1 400 /);
    await bed.close();
  });

  it('speaks https to an upstream, whose certificate must be valid', async () => {
    const server: Server = createServer(pair('first'), (request, response) => void request.pipe(response));
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done);
    });
    const bed = await testbed(
      () => routeTo('m'),
      [upstreamAt('m', `https://127.0.0.1:${(server.address() as AddressInfo).port}`)],
      { listen: { tls: pair('first') } },
    );
    const { text } = await ask(bed.listening.port, 'GET / HTTP/1.1\r\nHost: shop\r\n\r\n');
    assert.match(text, /^HTTP\/1\.1 502 /);
    assert.equal(bed.observations[0]?.own?.failure, 'connect');
    const usual = getCACertificates('default');
    setDefaultCACertificates([...usual, pair('first').cert.toString()]);
    const echo = 'x'.repeat(200_000);
    const bytes = `POST / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: ${echo.length}\r\n\r\n${echo}`;
    const answered = await ask(bed.listening.port, bytes);
    setDefaultCACertificates(usual);
    assert.match(answered.text, /^HTTP\/1\.1 200 /);
    assert.equal(
      answered.text.match(/x{100,}/g)?.reduce((sum, run) => sum + run.length, 0),
      echo.length,
    );
    await bed.close();
    server.closeAllConnections();
    server.close();
  });
});
