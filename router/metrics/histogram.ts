/**
 * Durations in logarithmic buckets, each 5 % wide, from 0.25 ms to a minute: a quantile read from them is off by less than that, whatever
 * the distribution, and two histograms add up by adding their counts. (The idea is that of HdrHistogram and of Prometheus' native histograms.)
 */
const GROWTH = 1.05;
/** Milliseconds below which everything is the first bucket. */
const FIRST = 0.25;
/** Buckets; the last one holds everything above its lower bound, a minute. */
export const BUCKETS = 256;

const STEP = Math.log(GROWTH);

/** Counts a bucket. */
export type Histogram = Float64Array | Uint32Array | readonly number[];

/** Which bucket a duration in milliseconds belongs to. */
export function bucketOf(milliseconds: number): number {
  if (!(milliseconds > FIRST)) return 0;
  const bucket = 1 + Math.floor(Math.log(milliseconds / FIRST) / STEP);
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/** Lower bound of a bucket, in milliseconds. */
function lowerBound(bucket: number): number {
  return bucket === 0 ? 0 : FIRST * GROWTH ** (bucket - 1);
}

export function totalOf(histogram: Histogram): number {
  let total = 0;
  for (let bucket = 0; bucket < histogram.length; bucket++) total += histogram[bucket]!;
  return total;
}

/**
 * The duration in milliseconds at a rank from 1 to the total (ranks need not be whole): inside its bucket the counts are taken as evenly
 * spread. Null when there is no such rank.
 */
export function atRank(histogram: Histogram, rank: number): number | null {
  let below = 0;
  for (let bucket = 0; bucket < histogram.length; bucket++) {
    const count = histogram[bucket]!;
    if (count > 0 && below + count >= rank) {
      const lower = lowerBound(bucket);
      const inside = Math.max(0, Math.min(1, (rank - below) / count));
      return lower + (lowerBound(bucket + 1) - lower) * inside;
    }
    below += count;
  }
  return null;
}

/** The quantile `p` (0 to 1) in milliseconds; null of an empty histogram. */
export function quantile(histogram: Histogram, p: number): number | null {
  const total = totalOf(histogram);
  return total === 0 ? null : atRank(histogram, Math.max(1, p * total));
}
