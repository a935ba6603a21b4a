import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { askPictures } from './pictures-elsewhere.ts';
import type { Product } from './store.ts';

describe('pictures that a service has', () => {
  let server: Server;
  let asked: string[];
  let status: number;
  beforeEach(async () => {
    asked = [];
    status = 200;
    server = createServer((request, response) => {
      asked.push(request.url!);
      const id = Number(request.url!.split('/')[2]);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify([{ id: id * 10, alt: 'a', width: 2, height: 1, bytes: 5, url: '/x' }]));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
  });
  const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const products: Product[] = Array.from({ length: 30 }, (_, n) => ({
    id: n + 1,
    name: `No ${n}`,
    description: '',
    priceCents: 1,
    currency: 'EUR',
    images: [],
  }));

  it('are asked for once in a while, each product for itself', async () => {
    const withPictures = askPictures(url);
    for (let n = 0; n < 2; n += 1)
      assert.deepEqual(
        (await withPictures(products)).map(({ id, images }) => [id, images]),
        products.map(({ id }) => [id, [{ id: id * 10, alt: 'a', width: 2, height: 1 }]]),
      );
    assert.equal(asked.length, 30);
  });

  it('are missing, and nothing else is, while the service does not answer', async () => {
    status = 503;
    const [first] = await askPictures(url)(products);
    assert.deepEqual(first, products[0]);
    assert.deepEqual((await askPictures(() => 'http://127.0.0.1:1')(products)).length, 30);
  });
});
