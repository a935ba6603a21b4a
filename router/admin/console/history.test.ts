import assert from 'node:assert/strict';
import { keep, rows, SHOWN } from './history.js';

const side = (upstream: string, rate: number | null, p95: number | null = null) => ({
  upstream,
  rate,
  errorRate: null,
  p50: null,
  p95,
});
const moment = (seconds: number, sides: ReturnType<typeof side>[], name = 'images') => ({
  at: new Date(seconds * 1000).toISOString(),
  features: [
    {
      name,
      stage: 'canary',
      percent: 10,
      state: 'ENABLED',
      ramp: {
        state: 'none',
        step: null,
        percent: null,
        since: '2026-01-01T00:00:00Z',
        holdUntil: null,
        text: '',
      },
      gates: [],
      sides,
    },
  ] as const,
});

describe('the history behind the charts', () => {
  it('holds a row a side, of one length, also for a side that comes later', () => {
    keep(moment(1000, [side('monolith', 5, 20)], 'a'));
    keep(moment(1001, [side('monolith', 6, 21), side('image-api', 1, 9)], 'a'));
    assert.deepEqual(rows('a', ['monolith', 'image-api'], 'rate'), [
      [1000, 1001],
      [5, 6],
      [null, 1],
    ]);
    assert.deepEqual(rows('a', ['image-api', 'nobody'], 'p95'), [
      [1000, 1001],
      [null, 9],
      [null, null],
    ]);
  });

  it('breaks the line where moments are missing, and ignores one that is not newer', () => {
    keep(moment(2000, [side('monolith', 1)], 'b'));
    keep(moment(2010, [side('monolith', 2)], 'b'));
    keep(moment(2010, [side('monolith', 3)], 'b'));
    assert.deepEqual(rows('b', ['monolith'], 'rate'), [
      [2000, 2000.001, 2010],
      [1, null, 2],
    ]);
  });

  it('forgets what is older than the charts show, and features that are gone', () => {
    for (let second = 0; second < SHOWN * 2; second++)
      keep(moment(5000 + second, [side('monolith', second)], 'c'));
    const [at, rate] = rows('c', ['monolith'], 'rate');
    assert.equal(at.length, SHOWN + 1);
    assert.equal(rate!.length, SHOWN + 1);
    assert.equal(at.at(-1)! - at[0]!, SHOWN);
    keep(moment(9000, [side('monolith', 1)], 'd'));
    assert.deepEqual(rows('c', ['monolith'], 'rate'), [[], []]);
  });
});
