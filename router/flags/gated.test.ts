import assert from 'node:assert/strict';
import type { Problem } from '../errors.ts';
import type { GateResult } from '../ramp/gate.ts';
import { house as build, type House } from './testbed.ts';

describe('a change that gates are asked of', () => {
  const open: (() => void)[] = [];
  afterEach(() => open.splice(0).forEach((close) => close()));
  const house = (options: Parameters<typeof build>[0]): House => {
    const built = build(options);
    open.push(built.close);
    return built;
  };

  const gate = (verdict: GateResult['verdict']): GateResult => ({
    metric: 'errorRate',
    verdict,
    value: 0,
    limit: 0.01,
    unit: 'share',
    samples: { baseline: 500, candidate: 500 },
    seconds: 60,
    baselineAge: null,
    text: `errorRate: ${verdict}`,
  });

  it('asks the gates before it promotes: too little data is no yes', async () => {
    for (const verdict of ['breach', 'notEnough'] as const) {
      const gates = [gate('pass'), gate(verdict)];
      const { act, journal } = house({ gates });
      await assert.rejects(
        () => act({ kind: 'promote' }),
        ({ code, message, more }: Problem) =>
          code === 'REFUSED_BY_GATE' && message.includes(verdict) && more['gates'] === gates,
      );
      assert.deepEqual(journal.entries(), []);
    }
  });

  it('journals a promotion with what the gates measured, and one that none was asked of as ungated', async () => {
    for (const gates of [[gate('pass')], []]) {
      const { act, journal } = house({ gates });
      await act({ kind: 'promote' });
      const { ungated, numbers } = journal.entries()[0]!;
      assert.deepEqual([ungated, numbers], gates.length > 0 ? [false, gates] : [true, null]);
    }
  });

  it('lets a running ramp step and step back, with its numbers, and no other', async () => {
    const { act, code, journal } = house({ ramp: 'running' });
    const numbers = [gate('breach')];
    assert.deepEqual(await act({ kind: 'step', percent: 1, numbers: null }), {
      stage: 'canary',
      percent: 1,
      state: 'ENABLED',
      ramp: 'running',
    });
    assert.equal((await act({ kind: 'stepBack', percent: 0, numbers })).ramp, 'latched');
    assert.deepEqual(
      journal.entries().map((entry) => [entry.action, entry.ungated, entry.numbers]),
      [
        ['step', false, null],
        ['stepBack', false, numbers],
      ],
    );
    assert.equal(await code({ kind: 'step', percent: 1, numbers: null }), 'STALE');
    assert.equal((await act({ kind: 'resume' })).ramp, 'running');
    assert.equal((await act({ kind: 'shift', percent: 7 })).ramp, 'paused');
    assert.equal(await code({ kind: 'stepBack', percent: 0, numbers }), 'STALE');
  });
});
