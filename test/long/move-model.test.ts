import assert from 'node:assert/strict';
import { search } from '../../migrations/move/model/search.ts';

describe('the model of the move, farther', () => {
  it('breaks no invariant with two writes, there and back again', () => {
    const found = search({ writes: 3, handovers: 2 });
    process.stdout.write(`      ${found.states} states, ${found.depth} steps deep\n`);
    assert.equal(found.broken, null, JSON.stringify(found.broken, null, 2));
  });
});
