import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import express, { type Express } from 'express';
import { until } from '../../test/support/until.ts';
import { flagsOf, startService, startShop, yamlOf, type Service, type Shop } from './testbed.ts';

/** `maxBody` of POST /images is 1 KiB. */
const HEAD =
  'POST /images HTTP/1.1\r\nHost: shop\r\nX-User-Id: ana\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (length: number): string => `${length.toString(16)}\r\n${'1'.repeat(length)}\r\n`;

describe('strangle(): chunks that grow over maxBody', () => {
  let service: Service;
  let shop: Shop;
  let sockets: Socket[];
  const start = async (percent: number, reading: (app: Express) => void = () => {}): Promise<void> => {
    shop = await startShop({ yaml: yamlOf(service.url), flags: flagsOf(percent), reading });
  };
  beforeEach(async () => {
    service = await startService();
    sockets = [];
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await shop.close();
    await service.close();
  });
  const client = (): { socket: Socket; text: () => string; isReset: () => boolean } => {
    const socket = connect(shop.port, '127.0.0.1');
    sockets.push(socket);
    let text = '';
    let isReset = false;
    socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
    socket.on('error', () => (isReset = true));
    return { socket, text: () => text, isReset: () => isReset };
  };
  const isTold = (text: string): boolean =>
    /^HTTP\/1\.1 413 [^]*\r\nX-Request-Id: [^]*"code":"BODY_TOO_LARGE"[^]*\}$/.test(text);

  for (const [side, percent] of [
    ['service', 100],
    ['monolith', 0],
  ] as const) {
    it(`are cut with 413 on their way to the ${side}, while the client still sends`, async () => {
      let whole = 0;
      service.handle = (req, res) => {
        req.on('error', () => {});
        req.resume().on('end', () => (whole++, res.end()));
      };
      await start(percent, (app) =>
        app.post('/images', (req, res) => void req.resume().on('end', () => (whole++, res.end('whole')))),
      );
      const { socket, text, isReset } = client();
      socket.write(HEAD + chunk(1024));
      await until(() => service.seen.length + shop.seen.length === 1, 'the request to arrive');
      assert.equal(text(), '');
      socket.write(chunk(1));
      await until(() => isTold(text()), 'the 413');
      for (let count = 0; count < 20; count++) socket.write(chunk(60_000));
      socket.write('0\r\n\r\n');
      if (side === 'monolith') await once(socket, 'close');
      assert.equal(isReset(), false);
      assert.ok(isTold(text()), 'one answer');
      assert.equal(whole, 0);
    });

    it(`pass to the ${side} when they are just as long as allowed`, async () => {
      await start(percent);
      const { socket, text } = client();
      socket.write(`${HEAD}${chunk(1000)}${chunk(24)}0\r\n\r\n`);
      await until(() => text().includes(side), 'the answer');
      assert.match(text(), /^HTTP\/1\.1 200 /);
    });
  }

  it('look to the monolith like those of a client that went away, and its late answer goes nowhere', async () => {
    const heard: string[] = [];
    await start(0, (app) =>
      app.post('/images', (req, res) => {
        req.on('aborted', () => heard.push('aborted'));
        req.on('error', () => {
          res.status(400).json({ late: true });
          heard.push(`error ${res.headersSent}`);
        });
        res.on('close', () => heard.push('closed'));
        req.resume();
      }),
    );
    const { socket, text } = client();
    socket.write(`${HEAD}${chunk(2000)}0\r\n\r\n`);
    await once(socket, 'close');
    await until(() => heard.length >= 3, 'the monolith to hear of it');
    assert.deepEqual(heard.toSorted(), ['aborted', 'closed', 'error false']);
    assert.ok(isTold(text()), text());
  });

  it('end in express.json() as well, and the monolith serves on', async () => {
    await start(0, (app) => app.use(express.json()));
    for (let count = 0; count < 3; count++) {
      const { socket, text } = client();
      socket.write(`${HEAD}${chunk(500)}${chunk(600)}`);
      await until(() => isTold(text()), 'the 413');
      socket.end();
      await once(socket, 'close');
    }
    assert.equal(await (await fetch(`${shop.url}/cart`)).text(), 'monolith');
  });
});
