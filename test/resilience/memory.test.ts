import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { end, start } from './load.ts';

describe('memory', () => {
  let server: Server;
  let router: { process: ChildProcess; port: number; nextLine(): Promise<string> };
  let seen = 0;
  before(async () => {
    server = createServer((request, response) => {
      const hash = createHash('sha256');
      request.on('data', (chunk: Buffer) => {
        seen += chunk.length;
        hash.update(chunk);
      });
      request.on('end', () => response.end(hash.digest('hex')));
    });
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done);
    });
    router = await start('router.ts', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  after(async () => {
    await end(router.process);
    server.closeAllConnections();
    server.close();
  });
  const resident = async (): Promise<number> => {
    router.process.kill('SIGUSR2');
    return Number(await router.nextLine());
  };

  it('an upload of 200 MB costs less than 64 MB, arrives whole, and its first byte arrives before the last is sent', async () => {
    const total = 200 * 2 ** 20;
    const before = await resident();
    const client = connect(router.port, '127.0.0.1');
    let answer = '';
    client.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    const hash = createHash('sha256');
    let most = 0;
    client.write(`POST /up HTTP/1.1\r\nHost: shop\r\nContent-Length: ${total}\r\nConnection: close\r\n\r\n`);
    for (let sent = 0; sent < total; sent += 2 ** 20) {
      const piece = Buffer.alloc(2 ** 20, sent / 2 ** 20);
      hash.update(piece);
      if (sent + piece.length === total) assert.ok(seen > 0);
      if (!client.write(piece)) await new Promise((next) => client.once('drain', next));
      if (sent % 2 ** 24 === 0) most = Math.max(most, (await resident()) - before);
    }
    await new Promise((done) => client.once('close', done));
    assert.ok(answer.includes(hash.digest('hex')), answer);
    assert.equal(seen, total);
    assert.ok(most < 64 * 2 ** 20, `${Math.round(most / 2 ** 20)} MB more`);
  }).timeout(60_000);
});
