import assert from 'node:assert/strict';
import { difference, quantileInterval, quantileRanks, ratio, shareInterval } from './statistics.ts';
import { BUCKETS, bucketOf } from '../metrics/histogram.ts';

/** 97.5 % of the standard normal distribution: 95 % between two sides. */
const Z = 1.959964;

const close = (actual: number, expected: number, tolerance = 5e-5): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} ± ${tolerance}`);

describe('statistics', () => {
  // Newcombe 1998, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17:857, table I, method 3.
  for (const [count, total, lower, upper] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const)
    it(`has Newcombe's score interval of ${count} in ${total}`, () => {
      const interval = shareInterval(count, total, Z);
      close(interval.lower, lower);
      close(interval.upper, upper);
    });

  // Newcombe 1998, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17:873, table II, method 10.
  for (const [a, m, b, n, lower, upper] of [
    [56, 70, 48, 80, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.1705, 0.809],
    [5, 56, 0, 29, -0.0381, 0.1926],
  ] as const)
    it(`has Newcombe's interval of ${a}/${m} − ${b}/${n}`, () => {
      const interval = difference(shareInterval(a, m, Z), shareInterval(b, n, Z));
      close(interval.lower, lower);
      close(interval.upper, upper);
    });

  it('bounds the median of 100 values by the 40th and the 61st', () =>
    assert.deepEqual(quantileRanks(100, 0.5, Z), { lower: 40, upper: 61 }));

  it('bounds p95 at least as surely as it says, by the binomial distribution itself', () => {
    for (const total of [400, 500, 1000, 5000]) {
      const { lower, upper } = quantileRanks(total, 0.95, Z);
      let logarithm = total * Math.log(0.05);
      let inside = 0;
      for (let below = 0; below <= total; below++) {
        if (below >= lower && below < upper) inside += Math.exp(logarithm);
        logarithm += Math.log(((total - below) / (below + 1)) * 19);
      }
      assert.ok(inside >= 0.95 && inside < 0.985, `${inside} of ${total}`);
    }
  });

  it('has no upper bound of p95 in few values', () => {
    const histogram = Array<number>(BUCKETS).fill(0);
    histogram[bucketOf(10)] = 50;
    const interval = quantileInterval(histogram, 0.95, Z)!;
    assert.equal(interval.upper, Infinity);
    assert.ok(interval.lower > 9 && interval.value < 11);
    assert.equal(quantileInterval([], 0.95, Z), null);
  });

  it('bounds a ratio as the difference of logarithms', () => {
    const interval = ratio({ value: 200, lower: 190, upper: 210 }, { value: 100, lower: 100, upper: 100 });
    close(interval.value, 2, 1e-9);
    close(interval.lower, 1.9, 1e-9);
    close(interval.upper, 2.1, 1e-9);
    assert.equal(
      ratio({ value: 2, lower: 1, upper: 3 }, { value: 1, lower: 1, upper: Infinity }).lower,
      0,
      'what is not known of one side is not known of the ratio',
    );
  });
});
