import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { askProducts } from './products.ts';

describe('asking the shop for a product', () => {
  let shop: Server;
  let shopUrl: string;
  let asked: string[];
  let status: number;
  const close = async (): Promise<void> => {
    shop.closeAllConnections();
    await once(shop.close(), 'close');
  };
  beforeEach(async () => {
    asked = [];
    status = 200;
    shop = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.accept}`);
      response.writeHead(status).end();
    }).listen(0, '127.0.0.1');
    await once(shop, 'listening');
    shopUrl = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    if (shop.listening) await close();
  });

  it('asks once, however many want to know, and remembers a yes', async () => {
    const products = askProducts({ shopUrl });
    assert.deepEqual(await Promise.all([products.has('7'), products.has('7')]), [true, true]);
    assert.equal(await products.has('7'), true);
    assert.deepEqual(asked, ['HEAD /products/7 application/json']);
  });

  it('does not remember a no', async () => {
    const products = askProducts({ shopUrl });
    status = 404;
    assert.equal(await products.has('7'), false);
    status = 200;
    assert.equal(await products.has('7'), true);
  });

  it('asks again when a yes is old, and believes the new answer', async () => {
    const products = askProducts({ shopUrl, holds: 0 });
    assert.equal(await products.has('7'), true);
    status = 404;
    assert.equal(await products.has('7'), false);
    status = 500;
    assert.equal(await products.has('7'), null);
  });

  it('holds an old yes while the shop fails or is away, and knows nothing of others', async () => {
    const products = askProducts({ shopUrl, holds: 0 });
    assert.equal(await products.has('7'), true);
    for (status of [500, 302, 429]) {
      assert.equal(await products.has('7'), true);
      assert.equal(await products.has('8'), null);
    }
    await close();
    assert.equal(await products.has('7'), true);
    assert.equal(await products.has('8'), null);
  });

  it('forgets what was asked for longest ago when there are too many', async () => {
    const products = askProducts({ shopUrl, most: 2 });
    for (const id of ['1', '2', '3']) await products.has(id);
    asked = [];
    for (const id of ['3', '2', '1']) await products.has(id);
    assert.deepEqual(asked, ['HEAD /products/1 application/json']);
  });
});
