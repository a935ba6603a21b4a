import assert from 'node:assert/strict';
import { CLOSED, admits, afterEvent, type Breaker, type BreakerEvent } from './breaker.ts';
import { choose } from './choice.ts';

const options = { threshold: 3, pause: 100, maxPause: 300 };
const run = (events: readonly (readonly [BreakerEvent, number])[], from: Breaker = CLOSED): Breaker =>
  events.reduce((state, [event, now]) => afterEvent(state, event, now, options), from);

describe('the breaker', () => {
  it('opens after failures in a row, not before', () => {
    assert.equal(
      run([
        ['failure', 0],
        ['failure', 0],
        ['success', 0],
        ['failure', 0],
        ['failure', 0],
      ]).state,
      'closed',
    );
    const open = run([
      ['failure', 0],
      ['failure', 0],
      ['failure', 50],
    ]);
    assert.deepEqual(open, { state: 'open', until: 150, rounds: 0 });
    assert.deepEqual([admits(open, 149), admits(open, 150)], [false, true]);
  });

  it('opens at the second silence, and at a silence among failures', () => {
    assert.equal(run([['silence', 0]]).state, 'closed');
    for (const second of ['silence', 'failure'] as const)
      assert.equal(
        run([
          ['silence', 0],
          [second, 0],
        ]).state,
        'open',
      );
    assert.equal(
      run([
        ['silence', 0],
        ['success', 0],
        ['silence', 0],
      ]).state,
      'closed',
    );
  });

  it('lets one probe through, and only its success closes', () => {
    const open = run([
      ['failure', 0],
      ['failure', 0],
      ['failure', 0],
    ]);
    assert.equal(afterEvent(open, 'success', 10, options), open, 'what was under way before proves nothing');
    const probing = afterEvent(open, 'probe', 100, options);
    assert.deepEqual([probing.state, admits(probing, 1e9)], ['half-open', false]);
    assert.equal(afterEvent(probing, 'success', 120, options), CLOSED);
  });

  it('pauses twice as long after each failed probe, up to a limit', () => {
    let state = run([
      ['failure', 0],
      ['failure', 0],
      ['failure', 0],
    ]);
    const pauses: number[] = [];
    for (let round = 0; round < 4; round++) {
      state = run(
        [
          ['probe', 1000],
          ['failure', 1000],
        ],
        state,
      );
      if (state.state === 'open') pauses.push(state.until - 1000);
    }
    assert.deepEqual(pauses, [200, 300, 300, 300]);
  });

  it('lets the next one probe when a probe ends without a verdict', () => {
    const state = run([
      ['failure', 0],
      ['failure', 0],
      ['failure', 0],
      ['probe', 100],
      ['abandoned', 110],
    ]);
    assert.equal(admits(state, 110), true);
    assert.equal(
      run([
        ['failure', 0],
        ['abandoned', 1],
      ]).state,
      'closed',
    );
  });
});

describe('the choice of an instance', () => {
  it('takes the less busy of two, and never the same one twice', () => {
    const candidates = [0, 1, 2].map((inFlight) => ({ inFlight }));
    const seen = new Set<number>();
    for (let first = 0; first < 1; first += 0.01)
      for (let second = 0; second < 1; second += 0.01) {
        const draws = [first, second];
        seen.add(choose(candidates, () => draws.shift()!)!.inFlight);
      }
    assert.deepEqual([...seen].sort(), [0, 1], 'the busiest loses against either');
  });

  it('has one choice among one, none among none', () => {
    assert.equal(choose([], Math.random), null);
    assert.equal(choose([{ inFlight: 9 }], Math.random)?.inFlight, 9);
  });
});
