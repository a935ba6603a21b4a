import assert from 'node:assert/strict';
import { percentOf, plainSplit, reachable, withPercent, type Json } from './targeting.ts';

const cohort: Json = {
  if: [
    { ends_with: [{ var: 'host' }, '.internal'] },
    'new',
    {
      fractional: [
        ['new', 10],
        ['old', 90],
      ],
    },
  ],
};

describe('targeting', () => {
  it('reads the share of the one fractional, wherever it stands', () => {
    assert.equal(percentOf(plainSplit('new', 'old', 25), 'new'), 25);
    assert.equal(percentOf(cohort, 'new'), 10);
    assert.equal(
      percentOf(
        {
          fractional: [
            ['new', 1],
            ['old', 2],
          ],
        },
        'new',
      ),
      33.3,
    );
    assert.equal(
      percentOf({ if: [true, plainSplit('new', 'old', 1), plainSplit('new', 'old', 2)] }, 'new'),
      null,
    );
    assert.equal(percentOf('new', 'new'), null);
  });

  it('edits the weights in place and keeps their order', () => {
    assert.deepEqual(
      withPercent(
        {
          fractional: [
            ['old', 90],
            ['new', 10],
          ],
        },
        'new',
        'old',
        30,
      ),
      {
        targeting: {
          fractional: [
            ['old', 70],
            ['new', 30],
          ],
        },
      },
    );
    assert.deepEqual(
      withPercent({ fractional: [{ var: 'tenant' }, ['new', 10], ['old', 90]] }, 'new', 'old', 30),
      { targeting: { fractional: [{ var: 'tenant' }, ['new', 30], ['old', 70]] } },
    );
  });

  it('refuses what is not one split between the two', () => {
    assert.match((withPercent('new', 'new', 'old', 1) as { refused: string }).refused, /no fractional/);
    assert.match(
      (
        withPercent(
          { if: [true, plainSplit('new', 'old', 1), plainSplit('new', 'old', 2)] },
          'new',
          'old',
          1,
        ) as { refused: string }
      ).refused,
      /2 fractional/,
    );
    assert.match(
      (
        withPercent(
          {
            fractional: [
              ['new', 1],
              ['third', 1],
              ['old', 1],
            ],
          },
          'new',
          'old',
          1,
        ) as { refused: string }
      ).refused,
      /third/,
    );
  });

  it('tells which variants can be answered', () => {
    const of = (targeting: Json | undefined) => {
      const set = reachable(targeting, 'old');
      return set && [...set].toSorted();
    };
    assert.deepEqual(of(undefined), ['old']);
    assert.deepEqual(of(plainSplit('new', 'old', 0)), ['old']);
    assert.deepEqual(of(plainSplit('new', 'old', 100)), ['new']);
    assert.deepEqual(of(cohort), ['new', 'old']);
    assert.deepEqual(of({ if: [{ var: 'x' }, 'new'] }), ['new', 'old']);
    assert.deepEqual(of({ if: [{ var: 'x' }, 'new', null] }), ['new', 'old']);
    assert.equal(of({ var: 'x' }), null);
  });
});
