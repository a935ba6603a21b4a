import assert from 'node:assert/strict';
import { eventOf, nextRamp, stepAbove, stepBelow, stepIndex, type Look, type RampEvent } from './ramp.ts';

const STEPS = [1, 5, 25, 50, 100];
const look = (over: Partial<Look>): Look => ({
  percent: 25,
  heldFor: 600_000,
  hold: 600_000,
  onBreach: 'stepBack',
  verdicts: ['pass', 'pass'],
  ...over,
});

describe('the ramp', () => {
  it('moves only while it runs', () => {
    for (const state of ['none', 'paused', 'latched'] as const)
      for (const event of ['breach', 'held', 'notEnough', 'breachThatPauses'] as const)
        assert.deepEqual(nextRamp(state, event), { state, move: 'none' });
  });

  it('goes up, back once, and then waits for somebody', () => {
    assert.deepEqual(nextRamp('running', 'held'), { state: 'running', move: 'stepUp' });
    assert.deepEqual(nextRamp('running', 'breach'), { state: 'latched', move: 'stepBack' });
    assert.deepEqual(nextRamp('latched', 'resume'), { state: 'running', move: 'none' });
    assert.deepEqual(nextRamp('running', 'breachThatPauses'), { state: 'paused', move: 'none' });
    assert.deepEqual(nextRamp('running', 'notEnough'), { state: 'running', move: 'none' });
  });

  it('lets what a person does win', () => {
    for (const state of ['running', 'latched', 'paused'] as const)
      assert.equal(nextRamp(state, 'shift').state, 'paused');
    assert.equal(nextRamp('none', 'resume').state, 'none');
  });

  it('knows the steps around any share', () => {
    assert.deepEqual(
      [0, 1, 30, 50, 99, 100].map((percent) => [stepBelow(STEPS, percent), stepAbove(STEPS, percent)]),
      [
        [0, 1],
        [0, 5],
        [25, 50],
        [25, 100],
        [50, 100],
        [50, null],
      ],
    );
    assert.deepEqual(
      [0, 1, 30, 100, null].map((percent) => stepIndex(STEPS, percent)),
      [null, 0, null, 4, null],
    );
  });

  const cases: [string, Partial<Look>, RampEvent][] = [
    ['goes on when the hold is over and all pass', {}, 'held'],
    ['holds its time', { heldFor: 599_999 }, 'notEnough'],
    [
      'stays with too little data, however long',
      { heldFor: 1e9, verdicts: ['pass', 'notEnough'] },
      'notEnough',
    ],
    ['steps back before the hold is over', { heldFor: 1000, verdicts: ['notEnough', 'breach'] }, 'breach'],
    ['only pauses when told so', { onBreach: 'pause', verdicts: ['breach'] }, 'breachThatPauses'],
    [
      'takes the first step from 0 % at once, where nothing can be measured',
      { percent: 0, heldFor: 0, verdicts: ['notEnough'] },
      'held',
    ],
    ['takes no first step on a breach', { percent: 0, verdicts: ['breach'] }, 'breach'],
    ['goes by time alone without gates', { verdicts: [] }, 'held'],
  ];
  for (const [what, over, event] of cases) it(what, () => assert.equal(eventOf(look(over)), event));
});
