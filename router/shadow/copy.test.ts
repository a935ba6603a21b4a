import assert from 'node:assert/strict';
import { Copy, Memory } from './copy.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('a copy of a body', () => {
  it('holds what it was shown, although the memory is used again', () => {
    const copy = new Copy(100, new Memory(1000));
    const lent = bytes('..ab..');
    copy.add(lent, 2, 4);
    lent.fill('x');
    copy.add(bytes('cd'), 0, 2);
    assert.equal(Buffer.from(copy.whole()).toString(), 'abcd');
  });

  it('takes the framing of chunks off, wherever it was cut', () => {
    const framed = bytes('3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n');
    for (let cut = 0; cut <= framed.length; cut++) {
      const copy = new Copy(100, new Memory(1000));
      if (cut > 0) copy.add(framed, 0, cut, true);
      if (cut < framed.length) copy.add(framed, cut, framed.length, true);
      assert.equal(Buffer.from(copy.whole()).toString(), 'abcde', `cut at ${cut}`);
    }
  });

  it('is given up when it is too long, or when there is no memory, and gives back what it took', () => {
    const memory = new Memory(10);
    const long = new Copy(5, memory);
    assert.equal(long.add(bytes('abc'), 0, 3), true);
    assert.equal(memory.used, 3);
    assert.equal(long.add(bytes('def'), 0, 3), false);
    assert.ok(long.isTooLong && !long.isLost);
    assert.equal(memory.used, 0);
    const first = new Copy(100, memory);
    first.add(bytes('12345678'), 0, 8);
    const second = new Copy(100, memory);
    assert.equal(second.add(bytes('abc'), 0, 3), false);
    assert.ok(second.isLost && !second.isTooLong);
    first.free();
    first.free();
    assert.equal(memory.used, 0);
    assert.equal(first.add(bytes('x'), 0, 1), false);
    assert.equal(new Copy(5, memory).announce(6), false);
  });
});
