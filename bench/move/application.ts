import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { statement } from './statement.ts';

/*
 * One side's application, as small as can be: PATCH /products/PRODUCT/photos/ID changes a row, and what the fence refuses is 421 with the home.
 * Usage: node application.ts DATABASE TABLE; prints its port.
 */
const [connectionString, table] = process.argv.slice(2) as [string, string];
const pool = new pg.Pool({ connectionString, max: 16 });
pool.on('error', () => undefined);

const server = createServer((request, response) => {
  const [, product, id] = /^\/products\/(\d+)\/photos\/(\d+)$/.exec(request.url ?? '') ?? [];
  let alt = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => (alt += chunk));
  request.on('end', () => {
    statement(pool, {
      name: 'write',
      text: `UPDATE ${table} SET alt = $3 WHERE id = $1 AND product_id = $2`,
      values: [id, product, alt],
    })
      .then(
        ({ rowCount }) => response.writeHead(rowCount === 1 ? 204 : 404),
        (error: { code?: string; detail?: string }) =>
          error.code === 'SK421'
            ? response.writeHead(421, { 'strangler-home': error.detail })
            : response.writeHead(500),
      )
      .finally(() => response.end());
  });
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
