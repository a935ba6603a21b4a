import assert from 'node:assert/strict';
import type { Observation } from '../forward/plan.ts';
import { BUCKETS, bucketOf, quantile, totalOf } from './histogram.ts';
import { createWindows } from './windows.ts';

const route = (
  upstream: string,
  reason = 'BUCKET',
  feature: string | null = 'images',
): Observation['route'] => ({ upstream, decision: feature === null ? null : { feature, reason } }) as never;

const service = route('image-api');
const seen = (of: Observation['route'], own: Partial<Observation['own']> | null): Observation =>
  ({ route: of, own: own && { status: 200, failure: null, milliseconds: 10, ...own } }) as Observation;

describe('windows', () => {
  let at = 1_000_000_000_000;
  const now = (): number => at;
  beforeEach(() => (at = 1_000_000_000_000));

  it('judges the decided upstream by its own answer, whatever the client got', () => {
    const windows = createWindows({ now });
    for (const own of [
      { status: 200 },
      { status: 404 },
      { status: 500 },
      { status: 0, failure: 'timeout' as const },
      { status: 0, failure: 'open' as const, milliseconds: 0 },
    ])
      windows.observe(seen(service, own));
    const { sides } = windows.between('images', at - 1000, at + 1000);
    const { requests, errors, open, histogram } = sides['image-api']!;
    assert.deepEqual(
      { requests, errors, open, timed: totalOf(histogram) },
      { requests: 5, errors: 3, open: 1, timed: 4 },
    );
    assert.deepEqual(Object.keys(sides), ['image-api']);
  });

  it('counts neither what was never asked of an upstream nor traffic of no feature', () => {
    const windows = createWindows({ now });
    windows.observe(seen(service, null));
    windows.observe(seen(null, {}));
    windows.observe(seen(route('monolith', 'STAGE', null), {}));
    assert.deepEqual(windows.between('images', 0, at + 1000).sides, {});
  });

  it('keeps those apart whose side was not drawn', () => {
    const windows = createWindows({ now });
    for (const reason of ['BUCKET', 'TARGETING', 'NO_KEY', 'OVERRIDE'])
      windows.observe(seen(route('monolith', reason), {}));
    assert.equal(windows.between('images', 0, at + 1000).sides['monolith']!.requests, 4);
    assert.equal(windows.compared('images', 0, at + 1000).sides['monolith']!.requests, 2);
  });

  it('tells seconds apart and forgets what a turn of the ring is over', () => {
    const windows = createWindows({ now });
    for (let second = 0; second < 2000; second++, at += 1000) windows.observe(seen(service, {}));
    const count = (from: number, to: number): number =>
      windows.between('images', at + from * 1000, at + to * 1000).sides['image-api']?.requests ?? 0;
    assert.equal(count(-1, 0), 1);
    assert.equal(count(-600, -100), 500);
    assert.equal(count(-20, 0), 20);
    const all = count(-2000, 0);
    assert.ok(all > 2000 - 60 && all <= 2000, `${all}: beyond half an hour by the minute`);
    at += 86_400_000 * 2;
    assert.equal(count(-86_400, 0), 0);
    assert.equal(windows.between('images', 0, at).sides['image-api'], undefined);
  });

  it('adds up workers: what they take is what is added, once', () => {
    const workers = [createWindows({ now }), createWindows({ now })];
    const control = createWindows({ now });
    for (const [index, worker] of workers.entries()) {
      for (let i = 0; i <= index; i++)
        worker.observe(seen(service, { status: i === 0 ? 200 : 503, milliseconds: 40 }));
      worker.parity('images', 'mismatch');
    }
    for (let round = 0; round < 2; round++)
      for (const [index, worker] of workers.entries())
        control.add(JSON.parse(JSON.stringify(worker.take())) as never, String(index));
    const { sides, parity } = control.compared('images', at - 1000, at + 1000);
    assert.deepEqual([sides['image-api']!.requests, sides['image-api']!.errors], [3, 1]);
    assert.deepEqual(parity, { match: 0, mismatch: 2, ignored: 0, incomparable: 0 });
    assert.ok(Math.abs(quantile(sides['image-api']!.histogram, 0.5)! - 40) < 2);
  });

  it('takes in requests that came another way', () => {
    const windows = createWindows({ now });
    windows.sample('mail', { upstream: 'email-api', ok: false, milliseconds: 7, parity: 'match', count: 30 });
    const { sides, parity } = windows.compared('mail', at - 1000, at + 1000);
    assert.deepEqual([sides['email-api']!.requests, sides['email-api']!.errors, parity.match], [30, 30, 30]);
  });
});

describe('the histogram', () => {
  it('reads every quantile within 5 %', () => {
    for (const spread of [1, 30, 4000]) {
      const values = Array.from({ length: 5000 }, (_, i) => 1 + (spread * i) / 5000);
      const histogram = Array<number>(BUCKETS).fill(0);
      for (const value of values) histogram[bucketOf(value)]! += 1;
      for (const p of [0.01, 0.5, 0.95, 0.99]) {
        const exact = values[Math.ceil(p * values.length) - 1]!;
        const read = quantile(histogram, p)!;
        assert.ok(Math.abs(read / exact - 1) < 0.05, `${p}: ${read} for ${exact}`);
      }
    }
    assert.equal(quantile(Array<number>(BUCKETS).fill(0), 0.5), null);
    assert.deepEqual(
      [bucketOf(0), bucketOf(-1), bucketOf(Number.NaN), bucketOf(1e9)],
      [0, 0, 0, BUCKETS - 1],
    );
  });
});
