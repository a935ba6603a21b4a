import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emptySum } from '../metrics/ring.ts';
import { advance, type Progress } from './progress.ts';
import { rampStore } from './store.ts';

const side = (requests: number) => ({ ...emptySum(), requests });
const step = (percent: number, ramp = 'running', stage = 'canary') => ({
  stage,
  percent,
  ramp,
  killed: false,
});

describe('progress', () => {
  const start = advance(null, step(50), 1000, 500, () => null);

  it('is the same until the step changes, or the ramp is started', () => {
    assert.equal(
      advance(start, step(50), 9000, 500, () => side(9)),
      start,
    );
    const paused = advance(start, step(50, 'paused'), 9000, 500, () => side(9));
    assert.deepEqual([paused.from, paused.kept], [1000, null]);
    assert.equal(advance(paused, step(50), 9000, 500, () => null).from, 9000);
    assert.equal(advance(start, { ...step(50), killed: true }, 9000, 500, () => null).from, 9000);
  });

  it('keeps the last baseline there was, and none of a step that had none', () => {
    const full = advance(start, step(100), 9000, 500, () => side(600));
    assert.deepEqual([full.kept?.until, full.kept?.side.requests], [9000, 600]);
    const live = advance(full, step(100, 'running', 'live'), 20_000, 500, () => side(1));
    assert.equal(live.kept, full.kept);
    const back = advance(live, step(50), 30_000, 500, () => side(1));
    assert.equal(
      advance(back, step(100), 31_000, 500, () => side(7)).kept,
      full.kept,
      'too few to be better',
    );
    assert.equal(advance(back, step(100), 31_000, 500, () => side(500)).kept?.until, 31_000);
  });
});

describe('ramp.json', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'store-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  it('gives back what was written, but for the windows', () => {
    const kept = { until: 5, side: side(3) };
    kept.side.histogram[77] = 3;
    const progress: Progress = { ...step(25), since: 10, from: 20, kept };
    rampStore(dir, 0).write(new Map([['images', progress]]));
    assert.deepEqual(rampStore(dir, 99).read(), new Map([['images', { ...progress, from: 99 }]]));
  });

  for (const text of ['', '{"features":', '{"features":{"images":{}}}', '[]'])
    it(`begins anew with ${JSON.stringify(text)}`, () => {
      writeFileSync(join(dir, 'ramp.json'), text);
      assert.deepEqual(rampStore(dir, 0).read(), new Map());
    });
});
