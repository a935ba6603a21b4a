import assert from 'node:assert/strict';
import { createNoise } from './noise.ts';

const LIMITS = { firstAgain: 2, noiseMs: 1000, noisePlaces: 3 };

describe('noise', () => {
  it('is forgotten when it was not seen again for a while', () => {
    const noise = createNoise(LIMITS);
    noise.learn(['a', 'b'], 0);
    noise.learn(['a'], 500);
    assert.deepEqual(noise.places(999), ['b', 'a']);
    assert.deepEqual(noise.places(1000), ['a']);
    assert.deepEqual(noise.places(1500), []);
  });

  it('is kept in few places, the newest', () => {
    const noise = createNoise(LIMITS);
    noise.learn(['a', 'b', 'c', 'd'], 0);
    noise.learn(['b', 'e'], 1);
    assert.deepEqual(noise.places(2), ['d', 'b', 'e']);
  });

  it('is looked for in the first requests, now and then, and after a difference that was not checked', () => {
    const noise = createNoise(LIMITS);
    const due = (random: number): boolean => noise.isDue(0.05, random);
    assert.deepEqual([due(0.9), due(0.9), due(0.9), due(0.04)], [true, true, false, true]);
    noise.suspect();
    assert.deepEqual([due(0.9), due(0.9)], [true, false]);
  });
});
