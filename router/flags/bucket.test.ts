import assert from 'node:assert/strict';
import { MemoryStorage } from '@openfeature/flagd-core';
import fc from 'fast-check';
import { runs } from '../../test/support/fuzz.ts';
import { plainBuckets } from './bucket.ts';
import type { Json } from './targeting.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

describe('a plain split', () => {
  it('gives every key the variant that flagd gives it', () => {
    const weights = fc.tuple(fc.nat(100), fc.nat(100), fc.nat(100)).filter(([a, b, c]) => a + b + c > 0);
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z-]{1,12}$/),
        weights,
        fc.array(fc.string({ minLength: 1, unit: 'binary' }), { minLength: 20, maxLength: 20 }),
        (flag, [a, b, c], keys) => {
          const targeting: Json = {
            fractional: [
              ['a', a],
              ['b', b],
              ['c', c],
            ],
          };
          const storage = new MemoryStorage(quiet);
          const variants = { a: 'a', b: 'b', c: 'c' };
          storage.setConfigurations(
            JSON.stringify({
              flags: { [flag]: { state: 'ENABLED', variants, defaultVariant: 'a', targeting } },
            }),
          );
          const bucketOf = plainBuckets(flag, targeting)!;
          for (const targetingKey of keys)
            assert.equal(
              bucketOf(targetingKey),
              storage.getFlag(flag)!.evaluate({ targetingKey }, quiet).variant,
            );
        },
      ),
      { numRuns: runs(200) },
    );
  });

  it('leaves everything else to the rule engine', () => {
    const split: Json = {
      fractional: [
        ['a', 1],
        ['b', 1],
      ],
    };
    for (const targeting of [
      undefined,
      { if: [{ '==': [{ var: 'host' }, 'beta'] }, 'a', split] },
      { fractional: [{ var: 'email' }, ['a', 1], ['b', 1]] },
      { fractional: ['a', ['b', 1]] },
      { fractional: [['a'], ['b', 1]] },
      {
        fractional: [
          ['a', 0],
          ['b', 0],
        ],
      },
      {
        fractional: [
          ['a', 0.5],
          ['b', 1],
        ],
      },
      {
        fractional: [
          ['a', 2 ** 20],
          ['b', 1],
        ],
      },
    ] as (Json | undefined)[])
      assert.equal(plainBuckets('images', targeting), null, JSON.stringify(targeting));
  });
});
