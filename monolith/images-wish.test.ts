import assert from 'node:assert/strict';
import { Problem } from './errors.ts';
import { chosenFormat, readWish } from './images-wish.ts';

describe('the parameters of a picture', () => {
  it('are read from the query alone', () => {
    assert.equal(readWish('/images/1'), null);
    assert.equal(readWish('/images/1?'), null);
    assert.deepEqual(readWish('/images/w=1?w=2&h=3&q=4'), { w: 2, h: 3, fit: 'cover', format: null, q: 4 });
    assert.equal(readWish('//[/1?w=4096')?.fit, 'inside');
  });

  it('are refused by name', () => {
    for (const [query, name] of [
      ['w=1?w=2', 'w'],
      ['w=1#', 'w'],
      ['w=+1', 'w'],
      ['w=4097', 'w'],
      ['h=1&h=1', 'h'],
      ['q=101', 'q'],
      ['fit=', 'fit'],
      ['format=gif', 'format'],
      ['%77=0', 'w'],
      ['toString=1', 'toString'],
    ] as const)
      assert.throws(
        () => readWish(`/images/1?${query}`),
        (error) => error instanceof Problem && error.status === 400 && error.message.startsWith(name),
        query,
      );
  });

  it('leave the format to the Accept header when it is auto', () => {
    const auto = readWish('?format=auto')!;
    assert.equal(chosenFormat(auto, 'png', 'image/*'), 'png');
    assert.equal(chosenFormat(auto, 'jpeg', 'IMAGE/WEBP ; q=0.1'), 'webp');
    assert.equal(chosenFormat(auto, 'jpeg', 'image/webp;q=0.0, image/webpx, */*'), 'jpeg');
    assert.equal(chosenFormat(readWish('?w=1')!, 'gif', ''), 'png');
  });
});
