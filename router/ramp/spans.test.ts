import assert from 'node:assert/strict';
import { totalOf } from '../metrics/histogram.ts';
import { createWindows } from '../metrics/windows.ts';
import { evidenceOf, headOf, spanLengths } from './spans.ts';

const SIDES = { feature: 'images', candidate: 'image-api', baseline: 'monolith' };

describe('spans', () => {
  it('are the whole step and its ends, each half the one before', () => {
    assert.deepEqual(spanLengths(3), [3]);
    assert.deepEqual(spanLengths(20), [20]);
    assert.deepEqual(spanLengths(100), [100, 80, 40, 20]);
    assert.equal(spanLengths(1e9)[0], 86_400);
  });

  let at = 1_700_000_000_300;
  const windows = createWindows({ now: () => at });
  const note = (upstream: string, ok: boolean): void =>
    windows.sample('images', { upstream, ok, milliseconds: 20, parity: ok ? 'match' : 'mismatch', count: 1 });

  it('begin with the step, to the millisecond', () => {
    note('image-api', false);
    at += 100;
    const from = at;
    const head = headOf(windows, 'images', from);
    at += 100;
    for (const side of ['image-api', 'image-api', 'monolith']) note(side, true);
    const { spans } = evidenceOf(windows, SIDES, from, at, null, head);
    assert.equal(spans.length, 1);
    const [{ candidate, baseline, parity }] = spans;
    assert.deepEqual([candidate?.requests, candidate?.errors, baseline?.requests], [2, 0, 1]);
    assert.deepEqual([parity.match, parity.mismatch], [3, 0]);
    assert.equal(totalOf(candidate!.histogram), 2);
  });

  it('hold each second once, in every span that reaches it', () => {
    const from = at;
    const head = headOf(windows, 'images', from);
    for (let second = 0; second < 100; second++, at += 1000) note('image-api', second !== 10);
    const { spans } = evidenceOf(windows, SIDES, from, at - 1000, null, head);
    assert.deepEqual(
      spans.map(({ seconds, candidate, parity }) => [
        seconds,
        candidate?.requests,
        candidate?.errors,
        parity.mismatch,
      ]),
      [
        [100, 100, 1, 1],
        [80, 80, 0, 0],
        [40, 40, 0, 0],
        [20, 20, 0, 0],
      ],
    );
  });

  it('take the kept baseline instead of what is there', () => {
    const side = windows.compared('images', at - 50_000, at).sides['image-api']!;
    const { spans, baselineAge } = evidenceOf(windows, SIDES, at - 30_000, at, { until: at - 90_000, side });
    assert.equal(baselineAge, 90);
    assert.ok(spans.every(({ baseline }) => baseline === side));
  });
});
