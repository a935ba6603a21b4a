import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Row } from '../move/description.ts';
import reviews from './reviews.ts';

const anyText = fc
  .array(fc.oneof(fc.constantFrom('\n', '\n\n', 'a', ' '), fc.string({ unit: 'binary', maxLength: 5 })))
  .map((parts) => parts.join('').replaceAll('\0', ''));
const oldRow: fc.Arbitrary<Row> = fc.record(
  {
    id: fc.nat().map(String),
    product_id: fc.nat().map(String),
    author: anyText,
    stars: fc.constantFrom('1', '5'),
    body: anyText,
    created_at: fc.constant('2026-01-01 00:00:00+00'),
  },
  { noNullPrototype: true },
);

describe('the mapping of the reviews’ move', () => {
  it('brings every row back as it was, and again the same', () =>
    fc.assert(
      fc.property(oldRow, (row) => {
        const up = reviews.up!(row);
        assert.deepEqual(reviews.down!(up), row);
        assert.deepEqual(reviews.up!(reviews.down!(up)), up);
      }),
      { numRuns: 2000 },
    ));

  it('finds the title', () => {
    const of = (body: string): unknown[] => {
      const { title, text } = reviews.up!({ author: '', stars: '1', body, created_at: '' });
      return [title, text];
    };
    assert.deepEqual(of('Warm\n\nEvery\n\nevening'), ['Warm', 'Every\n\nevening']);
    assert.deepEqual(of('No title\nhere\n\nat all'), [null, 'No title\nhere\n\nat all']);
    assert.deepEqual(of(''), [null, '']);
  });
});
