import assert from 'node:assert/strict';
import { movingBed, send, type MovingBed } from '../support/moving.ts';
import { CANARY } from '../support/router.ts';

const POST = 'POST /products/1/images';
const user = { 'x-user-id': 'ana' };

describe('reads of rows that move', () => {
  let bed: MovingBed;
  beforeEach(async () => {
    bed = await movingBed();
  });
  afterEach(() => bed.close());

  /** What a browser would send after this answer. */
  const cookies = (from: { headers: { 'set-cookie'?: string[] | undefined } }): Record<string, string> => ({
    ...user,
    cookie: (from.headers['set-cookie'] ?? []).map((line) => line.split(';', 1)[0]).join('; '),
  });

  it('see what their client wrote, where it was written, until it is mirrored', async () => {
    bed.monolith.home = () => 'image-api; epoch=2';
    bed.service.mirrors = false;
    const written = await send(bed.origin, POST, { headers: user });
    assert.match(
      String(written.headers['set-cookie']),
      /^strangler_pin_[0-9a-f]{8}=image-api\.\d+\.[\w-]{43}; Path=\/; Max-Age=10; HttpOnly; SameSite=Lax$/,
    );
    assert.equal((await send(bed.origin, 'GET /images/7', { headers: cookies(written) })).by, 'image-api');
    assert.equal((await send(bed.origin, 'GET /images/7', { headers: user })).by, 'monolith');
    bed.service.mirrors = true;
    assert.equal((await send(bed.origin, POST, { headers: user })).headers['set-cookie'], undefined);
  });

  it('get no pin for a write that was refused', async () => {
    bed.monolith.handle = (_request, response) => response.writeHead(401).end();
    const refused = await send(bed.origin, POST);
    assert.deepEqual([refused.status, refused.headers['set-cookie']], [401, undefined]);
  });

  it('believe no pin of a client’s own making, and show none to an upstream', async () => {
    bed.monolith.mirrors = false;
    const written = await send(bed.origin, POST, { headers: user });
    const real = cookies(written)['cookie']!;
    const forged = { ...user, cookie: real.replace('=monolith.', '=image-api.') };
    assert.equal((await send(bed.origin, 'GET /images/7', { headers: forged })).by, 'monolith');
    let seen: string | undefined = 'none';
    bed.monolith.handle = (request, response) => {
      seen = request.headers.cookie;
      response.end();
    };
    await send(bed.origin, 'GET /images/7', { headers: { ...user, cookie: `a=1; ${real}; b=2` } });
    assert.equal(seen, 'a=1; b=2');
  });

  it('ask the other side once for what is not there yet', async () => {
    bed.monolith.lacks.add('/images/7').add('/images/8');
    bed.service.lacks.add('/images/8');
    assert.deepEqual(
      [(await send(bed.origin, 'GET /images/7')).by, bed.service.read.length],
      ['image-api', 1],
    );
    assert.equal((await send(bed.origin, 'GET /images/8')).status, 404);
    assert.deepEqual([bed.monolith.read.length, bed.service.read.length], [2, 2]);
    // Who would know is not there: to say that there is no such thing would be a guess.
    await bed.service.close();
    const answer = await send(bed.origin, 'GET /images/8');
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
    assert.equal((await send(bed.origin, 'GET /images/9')).by, 'monolith');
  });

  it('fall back to the monolith as before, but not for a client that has to see its write', async () => {
    await bed.close();
    bed = await movingBed(CANARY(100));
    bed.monolith.home = () => 'image-api; epoch=2';
    bed.service.mirrors = false;
    const written = await send(bed.origin, POST, { headers: user });
    bed.service.handle = (_request, response) => response.writeHead(500).end();
    assert.equal((await send(bed.origin, 'GET /images/7', { headers: user })).by, 'monolith');
    assert.equal((await send(bed.origin, 'GET /images/7', { headers: cookies(written) })).status, 500);
  });

  it('have no fallback once the data is the service’s own, and nothing is asked twice', async () => {
    await bed.close();
    bed = await movingBed(CANARY(100), {}, 'own');
    bed.service.lacks.add('/images/7');
    assert.equal((await send(bed.origin, 'GET /images/7', { headers: user })).status, 404);
    bed.service.mirrors = false;
    assert.equal((await send(bed.origin, POST, { headers: user })).headers['set-cookie'], undefined);
    bed.service.handle = (_request, response) => response.writeHead(500).end();
    assert.equal((await send(bed.origin, 'GET /images/8', { headers: user })).status, 500);
    await bed.service.close();
    assert.equal((await send(bed.origin, 'GET /images/8', { headers: user })).status, 502);
    assert.deepEqual([bed.monolith.read, bed.monolith.done], [[], []]);
  });

  it('leave a killed service at once, pinned or not; writes stay with their home', async () => {
    await bed.close();
    bed = await movingBed(CANARY(100));
    bed.monolith.home = () => 'image-api; epoch=2';
    bed.service.mirrors = false;
    const written = await send(bed.origin, POST, { headers: user });
    const pinned = cookies(written);
    bed.use(CANARY(100).replace('ENABLED', 'DISABLED'));
    assert.equal((await send(bed.origin, 'GET /images/7', { headers: pinned })).by, 'monolith');
    assert.equal((await send(bed.origin, POST, { headers: pinned })).by, 'image-api');
  });
});
