import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { testPool } from '../support/postgres.ts';
import { LEVELS, transact, type Deed, type Done } from './transaction.ts';

/*
 * One side's application, as small as one can be that keeps the contract: a write of rows whose home is elsewhere is answered 421 with the fence's own words.
 * Usage: node application.ts DATABASE. It tells its parent its port, and what each deletion is about to take.
 */
const pool = testPool(process.argv[2]!, 24);
process.on('disconnect', () => process.exit());

const KINDS = { POST: 'put', PATCH: 'append', DELETE: 'delete', PUT: 'give' } as const;
const STATUS: Record<Done['what'], number> = {
  done: 200,
  elsewhere: 421,
  refused: 409,
  down: 503,
  unknown: 500,
};

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  for await (const _ of request);
  const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
  const [, owner = '0', id] = /^(?:\/owners\/(\d+))?\/things\/(\d+)$/.exec(pathname) ?? [];
  const deed: Deed = {
    kind: KINDS[request.method as keyof typeof KINDS],
    op: searchParams.get('op')!,
    id: Number(id),
    owner: Number(searchParams.get('to') ?? owner),
    level: LEVELS[Number(searchParams.get('level'))]!,
    pauses: [Number(searchParams.get('first')), Number(searchParams.get('last'))],
    isWatched: searchParams.get('watched') === 'true',
  };
  const done = await transact(pool, deed, (gone) => process.send?.({ op: deed.op, gone }));
  if (done.what === 'elsewhere') response.setHeader('strangler-home', done.home);
  // Nothing was done: the connection was lost before the COMMIT.
  if (done.what === 'down') response.setHeader('nothing-done', '1');
  response.statusCode = STATUS[done.what];
  response.end(JSON.stringify(done));
}

const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
await once(server, 'listening');
process.send?.({ port: (server.address() as AddressInfo).port });
