import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Homes, readHome } from './home.ts';
import { subjectOf } from './subject.ts';

const SIDES = ['monolith', 'image-api'];

describe('homes', () => {
  it('are read from exactly what the contract says', () => {
    const home = { upstream: 'image-api', epoch: 3, isMoving: false };
    assert.deepEqual(readHome('image-api; epoch=3', SIDES), home);
    assert.deepEqual(readHome('image-api; epoch=3; moving', SIDES), { ...home, isMoving: true });
    for (const wrong of [
      null,
      '',
      'image-api',
      'other; epoch=3',
      'image-api; epoch=x',
      'image-api; epoch=3;',
    ])
      assert.equal(readHome(wrong, SIDES), null, String(wrong));
  });

  it('are those of the highest epoch, in whatever order they are heard of', () => {
    const heard = fc.record({ upstream: fc.constantFrom(...SIDES), epoch: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(heard, { minLength: 1 }), (all) => {
        const homes = new Homes('monolith', 'image-api');
        for (const each of all) homes.learn('product:1', each);
        const highest = Math.max(...all.map(({ epoch }) => epoch));
        assert.equal(homes.known('product:1')?.epoch, highest);
        const counts = Object.values(homes.counts()).reduce((sum, count) => sum + count, 0);
        assert.equal(counts, 1);
      }),
    );
  });

  it('of what is unknown are those of most writes', () => {
    const homes = new Homes('monolith', 'image-api');
    assert.equal(homes.of('product:1'), 'monolith');
    for (let count = 0; count < 50; count++) homes.settled('x', 'image-api', null);
    assert.equal(homes.of('product:1'), 'image-api');
    for (let count = 0; count < 50; count++) homes.settled('x', 'monolith', null);
    assert.equal(homes.of('product:1'), 'monolith');
    homes.lean('image-api', 50);
    assert.equal(homes.of('product:1'), 'image-api', 'counted at once or one by one');
  });

  it('are given up when a write was done elsewhere, be it at an older epoch', () => {
    const homes = new Homes('monolith', 'image-api');
    homes.learn('product:1', { upstream: 'image-api', epoch: 7 });
    assert.equal(homes.learn('product:1', { upstream: 'monolith', epoch: 2 }), false);
    homes.settled('product:1', 'monolith', { upstream: 'monolith', epoch: 2 });
    assert.deepEqual(homes.known('product:1'), { upstream: 'monolith', epoch: 2 });
  });

  it('take bounded memory: the oldest are forgotten, long names never learned', () => {
    const homes = new Homes('monolith', 'image-api', 100);
    for (let count = 0; count < 1000; count++)
      homes.learn(`product:${count}`, { upstream: 'image-api', epoch: 1 });
    homes.learn('x'.repeat(1000), { upstream: 'image-api', epoch: 1 });
    assert.deepEqual(homes.counts(), { monolith: 0, 'image-api': 100 });
    assert.equal(homes.known('product:899'), null);
    assert.equal(homes.known('product:999')?.upstream, 'image-api');
  });

  it('belong to the entity of a route, else to the path', () => {
    const post = subjectOf({ match: 'POST /shops/{shop}/products/{product}/images', entity: 'product' });
    assert.equal(post('/shops/1/products/7/images'), 'product:7');
    assert.equal(
      subjectOf({ match: 'DELETE /products/{product}', entity: 'product' })('/products/7'),
      'product:7',
    );
    assert.equal(subjectOf({ match: 'PATCH /images/{id}', entity: undefined })('/images/7'), '/images/7');
  });
});
