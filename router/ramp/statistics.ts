import { atRank, totalOf, type Histogram } from '../metrics/histogram.ts';

/** Bounds of what a measured value may truly be. */
export interface Interval {
  readonly value: number;
  readonly lower: number;
  readonly upper: number;
}

/**
 * Wilson's score interval of a share (Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22): it holds
 * its level at small counts and at 0 of n, where the textbook interval p ± z·√(pq/n) is a point. `z`: standard normal deviate a side.
 * `total` is above 0.
 */
export function shareInterval(count: number, total: number, z: number): Interval {
  const value = count / total;
  const square = z * z;
  const centre = value + square / (2 * total);
  const half = z * Math.sqrt((value * (1 - value)) / total + square / (4 * total * total));
  const width = 1 + square / total;
  return {
    value,
    lower: Math.max(0, (centre - half) / width),
    upper: Math.min(1, (centre + half) / width),
  };
}

/**
 * The difference a − b from the intervals of both, assumed independent: the lower bound is the difference less the root of the squared
 * distances to a's lower and b's upper bound, and the other way round. For two Wilson intervals this is Newcombe's method 10
 * (Newcombe 1998, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17:873); for any two
 * it is MOVER (Donner & Zou 2012, "Closed-form confidence intervals for functions of the normal mean and standard deviation", Statistical
 * Methods in Medical Research 21:347). Chosen over the pooled z-test because it asks about any limit and not only about 0, and stays
 * cautious when one side had no error at all.
 */
export function difference(a: Interval, b: Interval): Interval {
  const value = a.value - b.value;
  return {
    value,
    lower: value - Math.hypot(a.value - a.lower, b.upper - b.value),
    upper: value + Math.hypot(a.upper - a.value, b.value - b.lower),
  };
}

/**
 * Between which ranks of `total` sorted values the quantile `p` lies: how many lie below it is binomial(total, p), so the ranks are
 * np ± z·√(np(1−p)), rounded outward (Conover, "Practical Nonparametric Statistics", 3rd edition 1999, section 3.2; Hahn & Meeker,
 * "Statistical Intervals", chapter 5). They may lie outside 1 … total: then there are too few values for a bound.
 */
export function quantileRanks(total: number, p: number, z: number): { lower: number; upper: number } {
  const middle = p * total;
  const half = z * Math.sqrt(total * p * (1 - p));
  return { lower: Math.floor(middle - half), upper: Math.ceil(middle + half) + 1 };
}

/** The quantile `p` of a histogram in milliseconds with bounds that assume nothing of the distribution. Null of an empty histogram. */
export function quantileInterval(histogram: Histogram, p: number, z: number): Interval | null {
  const total = totalOf(histogram);
  if (total === 0) return null;
  const { lower, upper } = quantileRanks(total, p, z);
  return {
    value: atRank(histogram, Math.max(1, p * total))!,
    lower: lower < 1 ? 0 : atRank(histogram, lower)!,
    upper: upper > total ? Infinity : atRank(histogram, upper)!,
  };
}

/** The ratio a ÷ b of two positive values: the difference of their logarithms. */
export function ratio(a: Interval, b: Interval): Interval {
  const inLogs = ({ value, lower, upper }: Interval): Interval => ({
    value: Math.log(value),
    lower: Math.log(lower),
    upper: Math.log(upper),
  });
  const { value, lower, upper } = difference(inLogs(a), inLogs(b));
  return { value: Math.exp(value), lower: Math.exp(lower), upper: Math.exp(upper) };
}
