import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { exchange } from '../../router/forward/testbed.ts';
import { movingBed, noted, send, type MovingBed } from '../support/moving.ts';
import { CANARY } from '../support/router.ts';
import { until } from '../support/until.ts';

const POST = 'POST /products/1/images';
const body = randomBytes(5 * 1024 * 1024);

describe('writes of rows that move', () => {
  let bed: MovingBed;
  beforeEach(async () => {
    bed = await movingBed();
  });
  afterEach(() => bed.close());

  const moved = (epoch = 3): void => {
    bed.monolith.home = () => `image-api; epoch=${epoch}`;
  };
  /** Every write that a side did, once. */
  const done = (): string[] => [...bed.monolith.done, ...bed.service.done];

  for (const [name, size] of [
    ['nothing', 0],
    ['one byte', 1],
    ['100 KB', 100_000],
    ['5 MB', body.length],
  ] as const)
    for (const isChunked of [false, true])
      it(`go on to the home that a 421 names, with a body of ${name}${isChunked ? ' in chunks' : ''}`, async () => {
        moved();
        const bytes = body.subarray(0, size);
        const answer = await send(bed.origin, POST, { body: bytes, isChunked });
        assert.deepEqual([answer.status, answer.by], [201, 'image-api']);
        assert.deepEqual(done(), [noted('POST', '/products/1/images', bytes)]);
        // The next one goes there at once.
        await send(bed.origin, POST, { body: bytes, isChunked });
        assert.deepEqual([bed.monolith.refused, bed.service.done.length], [1, 2]);
        assert.equal(bed.writes.view().spooledBytes > 0, size > 64 * 1024);
        assert.deepEqual(readdirSync(bed.spool), []);
      });

  it('are reported once, as answered by their home', async () => {
    moved();
    await send(bed.origin, POST, { body });
    await until(() => bed.bed.observations.length > 0, 'the report');
    assert.deepEqual(
      bed.bed.observations.map(({ answeredBy, status, route }) => [answeredBy, status, route?.upstream]),
      [['image-api', 201, 'image-api']],
    );
  });

  it('go by entity whatever the side of the client, and reads by client', async () => {
    await bed.close();
    bed = await movingBed(CANARY(100));
    const user = { 'x-user-id': 'ana' };
    assert.equal((await send(bed.origin, 'GET /images/7', { headers: user })).by, 'image-api');
    assert.equal((await send(bed.origin, POST, { headers: user, body })).by, 'monolith');
  });

  it('whose path names no entity are tried where most writes go, and then remembered', async () => {
    moved();
    for (let count = 0; count < 60; count++) await send(bed.origin, `POST /products/${count}/images`);
    const { refused } = bed.monolith;
    assert.equal((await send(bed.origin, 'DELETE /images/7')).by, 'image-api');
    assert.equal(bed.monolith.refused, refused, 'the monolith was asked');
    bed.service.home = (path) => (path === '/images/8' ? 'monolith; epoch=9' : null);
    bed.monolith.home = () => null;
    for (const expected of [1, 1]) {
      assert.equal((await send(bed.origin, 'DELETE /images/8')).by, 'monolith');
      assert.equal(bed.service.refused, expected);
    }
  });

  it('are held while their bucket is handed over, and done once', async () => {
    let asked = 0;
    bed.monolith.home = () => 'image-api; epoch=4; moving';
    bed.service.home = () => (++asked < 3 ? 'monolith; epoch=3' : null);
    const bytes = body.subarray(0, 200_000);
    const answer = await send(bed.origin, POST, { body: bytes });
    assert.deepEqual([answer.status, answer.by], [201, 'image-api']);
    assert.deepEqual(done(), [noted('POST', '/products/1/images', bytes)]);
    assert.equal(bed.writes.view().held, 1);
  });

  it('are told to come again when a handover takes longer than two seconds', async () => {
    bed.monolith.home = () => 'image-api; epoch=4; moving';
    bed.service.home = () => 'image-api; epoch=4; moving';
    const startedAt = performance.now();
    const answer = await send(bed.origin, POST, { body });
    const took = performance.now() - startedAt;
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
    assert.match(answer.body, /HOME_MOVES/);
    assert.ok(took > 1000 && took < 4000, `${took} ms`);
    assert.deepEqual(done(), []);
  });

  it('do not wait longer for sides that take their time to say that it moves', async () => {
    for (const side of [bed.monolith, bed.service])
      side.handle = (request, response) => {
        const home = { 'strangler-home': 'image-api; epoch=4; moving' };
        request.resume().on('end', () => setTimeout(() => response.writeHead(421, home).end(), 500));
      };
    const startedAt = performance.now();
    assert.equal((await send(bed.origin, POST)).status, 503);
    const took = performance.now() - startedAt;
    assert.ok(took < 4000, `${took} ms`);
  });

  it('go back to a home that keeps its bucket after all', async () => {
    let asked = 0;
    bed.monolith.home = () => (++asked < 3 ? 'image-api; epoch=4; moving' : null);
    bed.service.home = () => 'monolith; epoch=3';
    const answer = await send(bed.origin, POST, { body: body.subarray(0, 100_000) });
    assert.deepEqual([answer.status, answer.by, done().length], [201, 'monolith', 1]);
  });

  it('follow a home of an older epoch too, when it does the write', async () => {
    bed.writes.homes.learn('product:1', { upstream: 'image-api', epoch: 7 });
    bed.service.home = () => 'monolith; epoch=2';
    assert.equal((await send(bed.origin, POST)).by, 'monolith');
    assert.equal((await send(bed.origin, POST)).by, 'monolith');
    assert.equal(bed.service.refused, 1);
  });

  it('never loop when both sides name each other for ever', async () => {
    let epoch = 0;
    bed.monolith.home = () => `image-api; epoch=${++epoch}`;
    bed.service.home = () => `monolith; epoch=${++epoch}`;
    const answer = await send(bed.origin, POST, { body });
    assert.equal(answer.status, 503);
    const tries = bed.monolith.refused + bed.service.refused;
    assert.ok(tries <= 12, `${tries} tries`);
    assert.deepEqual(done(), []);
  });

  for (const home of [
    '',
    'nobody; epoch=3',
    'image-api',
    'image-api; epoch=',
    'image-api; epoch=-1',
    'image-api; epoch=3; going',
    'image-api; epoch=99999999999999999999',
    '; epoch=1',
  ])
    it(`are not sent anywhere for a 421 that says "${home}"`, async () => {
      bed.monolith.home = () => home;
      const answer = await send(bed.origin, POST, { body });
      assert.deepEqual([answer.status, bed.monolith.refused, done()], [502, 1, []]);
      assert.match(answer.body, /HOME_UNKNOWN/);
      assert.deepEqual(bed.writes.view().homes, { monolith: 0, 'image-api': 0 });
    });

  it('are never sent again when they may have been done', async () => {
    for (const breakIt of ['cut', '500', 'garbage'] as const) {
      let asked = 0;
      bed.monolith.handle = (request, response) => {
        asked++;
        request.resume().on('end', () => {
          if (breakIt === 'cut') request.socket.destroy();
          else if (breakIt === 'garbage') request.socket.end('what?\r\n\r\n');
          else response.writeHead(500).end();
        });
      };
      const answer = await send(bed.origin, POST, { body: body.subarray(0, 1000) });
      assert.deepEqual([answer.status, asked], [breakIt === '500' ? 500 : 502, 1], breakIt);
    }
    assert.equal(bed.service.done.length + bed.service.refused, 0);
  });

  it('are refused for a while when their home is dead, those of the other side not', async () => {
    bed.service.home = (path) => (path.startsWith('/products/1/') ? 'monolith; epoch=1' : null);
    await bed.monolith.close();
    const answer = await send(bed.origin, POST, { body });
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
    assert.match(answer.body, /HOME_DOWN/);
    // Nobody has said whose this is; the side that is there knows.
    assert.equal((await send(bed.origin, 'POST /products/2/images', { body })).by, 'image-api');
    assert.equal(bed.service.done.length, 1);
  });

  it('tell a client to go on with its body, once', async () => {
    moved();
    const head = `${POST} HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`;
    const client = connect(bed.bed.listening.port, '127.0.0.1');
    let text = '';
    client.on('data', (chunk: Buffer) => (text += chunk.toString()));
    client.write(head);
    await until(() => text !== '', '100');
    assert.equal(text, 'HTTP/1.1 100 Continue\r\n\r\n');
    client.write('abc');
    await until(() => text.includes('201'), '201');
    client.destroy();
    assert.equal(text.match(/100 Continue/g)?.length, 1);
    assert.deepEqual(done(), [noted('POST', '/products/1/images', Buffer.from('abc'))]);
  });

  it('in a row on one connection are answered in order', async () => {
    moved();
    const one = (product: number): string =>
      `POST /products/${product}/images HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nabc`;
    const text = await exchange(
      bed.bed.listening.port,
      one(1) + one(2) + one(3),
      (all) => all.match(/ 201 /g)?.length === 3,
    );
    assert.equal(text.match(/ 201 /g)?.length, 3);
    assert.deepEqual(
      bed.service.done.map((line) => line.split(' ')[1]),
      [1, 2, 3].map((product) => `/products/${product}/images`),
    );
  });
});
