import assert from 'node:assert/strict';
import { RetryBudget } from './budget.ts';
import { tryDeadline } from './deadline.ts';
import { afterFailure, isSafe, isUnwanted, type Failed } from './retry.ts';

const failed = (more: Partial<Failed>): Failed => ({
  kind: 'reset',
  hasBegun: false,
  isReplayable: true,
  isUnsent: false,
  isStale: false,
  tries: 1,
  hasOther: false,
  hasTime: true,
  isFallback: false,
  ...more,
});
const on = { connect: true, timeout: true, serverError: true, missing: false };
const route = { fallback: 'monolith', fallbackOn: on };
const alone = { fallback: null, fallbackOn: on };

describe('what follows a failure', () => {
  const cases: readonly (readonly [string, Partial<Failed>, string])[] = [
    ['a read falls back', {}, 'fallback'],
    ['nothing is taken back', { hasBegun: true, isStale: true, hasOther: true }, 'abort'],
    ['a stale connection is replaced', { isStale: true, hasOther: true }, 'again'],
    ['a write on a stale connection is not sent again', { isStale: true, isReplayable: false }, 'tell'],
    ['another instance comes before the fallback', { hasOther: true }, 'other'],
    ['a write that has left goes nowhere else', { isReplayable: false, hasOther: true }, 'tell'],
    [
      'a write that has not left may go to another instance',
      { isReplayable: false, isUnsent: true, hasOther: true, kind: 'connect' },
      'other',
    ],
    ['but never to the fallback', { isReplayable: false, isUnsent: true, kind: 'connect' }, 'tell'],
    ['three tries are enough', { hasOther: true, tries: 3 }, 'fallback'],
    ['the fallback has no fallback', { isFallback: true }, 'tell'],
    ['without time nothing follows', { hasTime: false, hasOther: true }, 'tell'],
    ['an open breaker falls back', { kind: 'open' }, 'fallback'],
  ];
  for (const [name, more, step] of cases)
    it(name, () => assert.equal(afterFailure(failed(more), route), step));

  it('does without a fallback where there is none, or not for this', () => {
    assert.equal(afterFailure(failed({}), alone), 'tell');
    assert.equal(
      afterFailure(failed({ kind: 'timeout' }), { ...route, fallbackOn: { ...on, timeout: false } }),
      'tell',
    );
    assert.equal(
      afterFailure(failed({ kind: 'protocol' }), { ...route, fallbackOn: { ...on, connect: false } }),
      'tell',
    );
  });

  it('knows the safe methods, and which answers are better replaced', () => {
    assert.deepEqual(['GET', 'HEAD', 'OPTIONS', 'get', 'POST', 'PUT', 'DELETE', 'PROPFIND'].map(isSafe), [
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
    assert.equal(isUnwanted(500, true, false, on), true);
    assert.equal(isUnwanted(500, false, false, on), false);
    assert.equal(isUnwanted(421, false, false, on), true);
    assert.equal(isUnwanted(421, false, true, on), false);
    assert.equal(isUnwanted(404, true, false, on), false);
    assert.equal(isUnwanted(404, true, false, { ...on, missing: true }), true);
    assert.equal(isUnwanted(404, false, false, { ...on, missing: true }), false);
  });
});

describe('the retry budget', () => {
  it('is a tenth of the requests of ten seconds', () => {
    const budget = new RetryBudget();
    for (let count = 0; count < 100; count++) budget.request(1000);
    let taken = 0;
    while (budget.take(5000)) taken++;
    assert.equal(taken, 10);
    assert.equal(budget.take(10_999), false);
    assert.equal(budget.total, 10);
  });

  it('forgets after ten seconds, and always has a few', () => {
    const budget = new RetryBudget();
    for (const second of [0, 60]) {
      let taken = 0;
      while (budget.take(second * 1000)) taken++;
      assert.equal(taken, 3);
    }
  });
});

describe('the time of a try', () => {
  it('leaves half of what is left to whoever could still answer', () => {
    const times = { now: 0, total: Infinity, visit: 1000, hasOther: false, hasFallback: false };
    assert.equal(tryDeadline(times), 1000);
    assert.equal(tryDeadline({ ...times, hasOther: true }), 500);
    assert.equal(tryDeadline({ ...times, hasFallback: true }), 1000, 'the fallback has a time of its own');
    assert.equal(tryDeadline({ ...times, total: 800, hasFallback: true }), 400);
    assert.equal(tryDeadline({ ...times, total: 800 }), 800);
  });
});
