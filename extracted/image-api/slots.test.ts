import assert from 'node:assert/strict';
import { createSlots, SLOT } from './slots.ts';

describe('slots', () => {
  it('are large for a few files and small for more, and go from one to the next', () => {
    const slots = createSlots();
    const many = Array.from({ length: 20 }, () => slots.take());
    const large = many.filter(({ byteLength }) => byteLength === 2 * SLOT);
    assert.equal(large.length, 4);
    const bytes = many.reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert.ok(bytes < 14 * 2 ** 20, `${bytes} bytes for twenty`);
    for (const each of many) slots.giveBack(each, true);
    assert.ok(large.includes(slots.take()), 'kept, and a large one again');
  });

  it('are nobody’s when a thread that ended may be at work in them', () => {
    const slots = createSlots();
    const lost = slots.take();
    slots.giveBack(lost, false);
    assert.notEqual(slots.take(), lost);
  });

  it('keep no more than a few of what a crowd had', () => {
    const slots = createSlots();
    const crowd = Array.from({ length: 100 }, () => slots.take());
    for (const each of crowd) slots.giveBack(each, true);
    const again = new Set(Array.from({ length: 100 }, () => slots.take()));
    assert.equal(crowd.filter((each) => again.has(each)).length, 12);
  });
});
