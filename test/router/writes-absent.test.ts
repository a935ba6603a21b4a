import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { movingBed, noted, send, type MovingBed } from '../support/moving.ts';
import { CANARY } from '../support/router.ts';

const PATCH = 'PATCH /images/7';
const DELETE = 'DELETE /images/7';
const body = randomBytes(200_000);

/** Only what a side has can it refuse with 421: of what it has not yet it says 404, as of what is nowhere. */
describe('writes of what one side has not yet', () => {
  let bed: MovingBed;
  beforeEach(async () => {
    bed = await movingBed();
  });
  afterEach(() => bed.close());

  const done = (): string[] => [...bed.monolith.done, ...bed.service.done];
  const asked = (): number[] =>
    [bed.monolith, bed.service].map(({ refused, absent, done: did }) => refused + absent + did.length);

  it('are done at their home, with the same body, once', async () => {
    bed.monolith.lacks.add('/images/7');
    const answer = await send(bed.origin, PATCH, { body });
    assert.deepEqual([answer.status, answer.by], [201, 'image-api']);
    assert.deepEqual(done(), [noted('PATCH', '/images/7', body)]);
    assert.deepEqual(asked(), [1, 1]);
    // A 404 names nobody: nothing is learned from it.
    assert.deepEqual(bed.writes.view().homes, { monolith: 0, 'image-api': 0 });
  });

  it('are 404 when neither side has it, after one question to each', async () => {
    bed.monolith.lacks.add('/images/7');
    bed.service.lacks.add('/images/7');
    assert.equal((await send(bed.origin, DELETE)).status, 404);
    assert.deepEqual(asked(), [1, 1]);
  });

  it('are 404 when the side that still has it names the one that has not', async () => {
    bed.monolith.lacks.add('/images/7');
    bed.service.home = () => 'monolith; epoch=4';
    assert.equal((await send(bed.origin, PATCH, { body })).status, 404);
    assert.deepEqual(asked(), [2, 1]);
    assert.deepEqual(done(), []);
  });

  it('are not believed to be nowhere by a home that was one before', async () => {
    bed.writes.homes.learn('/images/7', { upstream: 'monolith', epoch: 3 });
    bed.monolith.lacks.add('/images/7');
    assert.equal((await send(bed.origin, DELETE)).by, 'image-api');
    // What a path names an entity of goes the same way: the row is newer than what is known of its product.
    bed.writes.homes.learn('product:1', { upstream: 'monolith', epoch: 3 });
    bed.monolith.lacks.add('/products/1/images');
    assert.equal((await send(bed.origin, 'POST /products/1/images', { body })).by, 'image-api');
    assert.equal(done().length, 2);
  });

  it('are 404 at once at the home that a 421 has named', async () => {
    bed.monolith.home = () => 'image-api; epoch=3';
    bed.service.lacks.add('/images/7');
    assert.equal((await send(bed.origin, DELETE)).status, 404);
    assert.deepEqual(asked(), [1, 1]);
  });

  it('wait for a handover that has not brought it to its new home yet', async () => {
    let told = 0;
    bed.service.lacks.add('/images/7');
    bed.monolith.home = () => {
      if (++told < 3) return 'image-api; epoch=3; moving';
      // Drained and committed.
      bed.service.lacks.delete('/images/7');
      return 'image-api; epoch=3';
    };
    const answer = await send(bed.origin, PATCH, { body });
    assert.deepEqual([answer.status, answer.by], [201, 'image-api']);
    assert.deepEqual(done(), [noted('PATCH', '/images/7', body)]);
    assert.ok(bed.service.absent >= 1 && bed.writes.view().held >= 1);
  });

  it('are tried a bounded number of times when a handover never ends', async () => {
    bed.monolith.home = () => 'image-api; epoch=3; moving';
    bed.service.lacks.add('/images/7');
    const answer = await send(bed.origin, PATCH, { body });
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
    const tries = asked().reduce((sum, count) => sum + count);
    assert.ok(tries <= 12, `${tries} tries`);
    assert.deepEqual(done(), []);
  });

  it('are to come again when who would know is dead; those of the other side are done', async () => {
    bed.monolith.lacks.add('/images/7');
    await bed.service.close();
    for (const write of [PATCH, DELETE]) {
      const answer = await send(bed.origin, write);
      assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1'], write);
      assert.match(answer.body, /HOME_DOWN/);
    }
    assert.equal(bed.monolith.absent, 2);
    assert.equal((await send(bed.origin, 'DELETE /images/8')).by, 'monolith');
  });

  it('are to come again when a dead side is the one that most writes go to', async () => {
    bed.service.lacks.add('/images/7');
    await bed.monolith.close();
    const answer = await send(bed.origin, DELETE);
    assert.deepEqual([answer.status, bed.service.absent], [503, 1]);
    assert.match(answer.body, /HOME_DOWN/);
  });

  it('are never sent to a second side after any other refusal', async () => {
    for (const status of [400, 401, 403, 405, 409, 410, 413, 415, 422, 429]) {
      bed.monolith.handle = (request, response) => {
        request.resume().on('end', () => response.writeHead(status).end());
      };
      assert.equal((await send(bed.origin, PATCH, { body: body.subarray(0, 100) })).status, status);
    }
    assert.deepEqual(asked(), [0, 0]);
  });
});

describe('a feature whose rows move, brought back to the monolith', () => {
  let bed: MovingBed;
  beforeEach(async () => {
    bed = await movingBed(CANARY(100));
    bed.monolith.home = (path) => (path.startsWith('/products/2/') ? null : 'image-api; epoch=2');
    bed.service.home = (path) => (path.startsWith('/products/2/') ? 'monolith; epoch=1' : null);
  });
  afterEach(() => bed.close());

  const user = { 'x-user-id': 'ana' };

  for (const [name, flags] of [
    ['a rollback in canary', CANARY(0)],
    ['a rollback to shadow', CANARY(0, 'shadow')],
    ['a rollback to off', CANARY(0, 'off')],
    ['a kill', CANARY(100).replace('ENABLED', 'DISABLED')],
  ] as const)
    it(`by ${name}: reads at once, writes stay with their homes`, async () => {
      const read = async (): Promise<string> =>
        (await send(bed.origin, 'GET /images/7', { headers: user })).by;
      const write = async (product: number): Promise<string> =>
        (await send(bed.origin, `POST /products/${product}/images`, { headers: user, body })).by;
      assert.deepEqual(
        [await read(), await write(1), await write(2)],
        ['image-api', 'image-api', 'monolith'],
      );
      bed.use(flags);
      assert.deepEqual([await read(), await write(1), await write(2)], ['monolith', 'image-api', 'monolith']);
      // The home is dead: its writes come again later, and nobody else's.
      await bed.service.close();
      const refused = await send(bed.origin, 'POST /products/1/images', { headers: user, body });
      assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1']);
      assert.deepEqual([await read(), await write(2)], ['monolith', 'monolith']);
    });
});
