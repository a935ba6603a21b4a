import assert from 'node:assert/strict';
import { createAttempts } from './attempts.ts';

describe('wrong tokens', () => {
  it('are counted by address', () => {
    const attempts = createAttempts(() => 0, { max: 2, window: 60_000, addresses: 10 });
    assert.deepEqual(
      ['a', 'a', 'b', 'a', 'b', 'b'].map((address) => attempts.wrong(address)),
      [null, null, null, 60, null, 60],
    );
  });

  it('are forgotten, the oldest first, when too many addresses send them', () => {
    const attempts = createAttempts(() => 0, { max: 1, window: 60_000, addresses: 3 });
    for (const address of ['a', 'b', 'c', 'd']) assert.equal(attempts.wrong(address), null);
    assert.equal(attempts.wrong('d'), 60);
    assert.equal(attempts.wrong('b'), 60);
    assert.equal(attempts.wrong('a'), null, 'a made room for d');
  });
});
