import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Route } from '../forward/plan.ts';
import { decorate } from './answer-head.ts';

describe('decorate', () => {
  const answer = async (write: (res: ServerResponse) => void): Promise<Response> => {
    const route = { issueCookie: () => 'id=1; Path=/', serverTiming: 'strangler;desc="x"' } as Route;
    const server = createServer((_req, res) => {
      decorate(res, route, 'the-id');
      write(res);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await response.text();
      return response;
    } finally {
      server.close();
      server.closeAllConnections();
    }
  };
  const PAGE = { 'Content-Type': 'text/html', 'Cache-Control': 'private', 'Set-Cookie': ['a=1', 'b=2'] };
  const FLAT = [
    'Content-Type',
    'text/html',
    'Cache-Control',
    'private',
    'Set-Cookie',
    'a=1',
    'Set-Cookie',
    'b=2',
  ];

  for (const [form, write] of [
    ['setHeader and end', (res) => void res.setHeaders(new Map(Object.entries(PAGE))).end('x')],
    [
      'setHeader and write',
      (res) => void res.setHeaders(new Map(Object.entries(PAGE))).write('x', () => res.end()),
    ],
    ['writeHead with an object', (res) => void res.writeHead(200, PAGE).end('x')],
    ['writeHead with a message', (res) => void res.writeHead(200, 'OK', PAGE).end('x')],
    ['writeHead with an absent message', (res) => void res.writeHead(200, undefined, PAGE).end('x')],
    ['writeHead with a flat list', (res) => void res.writeHead(200, FLAT).end('x')],
    [
      'setHeader replaced in writeHead',
      (res) => void res.setHeader('Cache-Control', 'public').writeHead(200, PAGE).end('x'),
    ],
  ] as const satisfies readonly (readonly [string, (res: ServerResponse) => void])[]) {
    it(`adds its lines to what ${form} says`, async () => {
      const { headers } = await answer(write);
      assert.deepEqual(headers.getSetCookie(), ['a=1', 'b=2', 'id=1; Path=/']);
      assert.equal(headers.get('x-request-id'), 'the-id');
      assert.equal(headers.get('server-timing'), 'strangler;desc="x"');
    });
  }

  it('keeps the status, and gives no cookie to what a shared cache may keep', async () => {
    const response = await answer(
      (res) => void res.writeHead(418, 'Tea', { ...PAGE, 'Cache-Control': 'public' }).end(),
    );
    assert.deepEqual([response.status, response.statusText], [418, 'Tea']);
    assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2']);
  });
});
