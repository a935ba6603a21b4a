import murmurHash3 from 'imurmurhash';
import { isObject, isPlainSplit, type Json } from './targeting.ts';

/** Above it a product of hash and weight would not fit a double exactly. */
const MAX_TOTAL = 2 ** 20;

/**
 * The variant that a key falls to in a flag whose targeting is one plain `fractional`, computed as flagd does
 * (https://flagd.dev/reference/custom-operations/fractional-operation/): the hash of flag and key, scaled to the sum of the weights. Such a
 * flag is what a split mostly is, and this is some ten times as fast as the general rule engine, with the same hash function and the same answers.
 * Null for any other targeting: those are the engine's.
 */
export function plainBuckets(flag: string, targeting: Json | undefined): ((key: string) => string) | null {
  const list = isPlainSplit(targeting) && isObject(targeting) ? targeting['fractional'] : null;
  if (!Array.isArray(list)) return null;
  const variants: string[] = [];
  /** Where each variant's share ends on the line from 0 to the total. */
  const ends: number[] = [];
  let total = 0;
  for (const entry of list) {
    if (!Array.isArray(entry) || entry.length !== 2) return null;
    const [variant, weight] = entry;
    if (typeof variant !== 'string' || typeof weight !== 'number' || !Number.isInteger(weight) || weight < 0)
      return null;
    total += weight;
    variants.push(variant);
    ends.push(total);
  }
  if (total === 0 || total > MAX_TOTAL) return null;
  return (key) => {
    const bucket = Math.floor((murmurHash3(flag + key).result() * total) / 2 ** 32);
    let index = 0;
    while (bucket >= ends[index]!) index++;
    return variants[index]!;
  };
}
