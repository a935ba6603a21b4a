import assert from 'node:assert/strict';
import { BUCKETS, bucketOf } from '../metrics/histogram.ts';
import { noParity } from '../metrics/parity-ring.ts';
import type { SideWindow } from '../metrics/ring.ts';
import { judge, judgeBreaker, type Evidence, type GateConfig, type Span } from './gate.ts';

const side = (requests: number, errors: number, milliseconds = 10): SideWindow => {
  const histogram = Array<number>(BUCKETS).fill(0);
  histogram[bucketOf(milliseconds)] = requests;
  return { requests, errors, open: 0, histogram };
};
const span = (over: Partial<Span>): Span => ({
  seconds: 60,
  baseline: null,
  candidate: null,
  parity: noParity(),
  ...over,
});
const evidence = (first: Partial<Span>, ...more: Partial<Span>[]): Evidence => ({
  candidate: 'image-api',
  baseline: 'monolith',
  spans: [span(first), ...more.map(span)],
  baselineAge: null,
});
const gate = (over: Partial<GateConfig> & Pick<GateConfig, 'metric'>): GateConfig => ({
  samples: 500,
  floor: 5,
  ...over,
});
const ERRORS = gate({ metric: 'errorRate', maxDelta: 0.005 });
const SLOW = gate({ metric: 'p95', maxRatio: 1.2 });
const PARITY = gate({ metric: 'parity', min: 0.995 });

describe('a gate', () => {
  const verdict = (config: GateConfig, of: Evidence): string => judge(config, of).verdict;

  it('never judges on two requests of which one failed', () => {
    const result = judge(ERRORS, evidence({ baseline: side(2000, 0), candidate: side(2, 1) }));
    assert.equal(result.verdict, 'notEnough');
    assert.deepEqual(result.samples, { baseline: 2000, candidate: 2 });
    assert.match(
      result.text,
      /^errorRate: not enough data, 500 samples a side are needed; 50 %, at most 0.5 % allowed/,
    );
  });

  it('wants the samples on each side, or on one where no other is asked', () => {
    assert.equal(
      verdict(ERRORS, evidence({ baseline: side(499, 0), candidate: side(9000, 0) })),
      'notEnough',
    );
    assert.equal(verdict(ERRORS, evidence({ baseline: side(500, 0), candidate: side(500, 0) })), 'pass');
    const absolute = gate({ metric: 'errorRate', max: 0.01 });
    assert.equal(verdict(absolute, evidence({ candidate: side(500, 0) })), 'pass');
    assert.equal(verdict(absolute, evidence({ candidate: side(2000, 100) })), 'breach');
  });

  it('tells errors from chance', () => {
    const of = (errors: number, requests = 1000): string =>
      verdict(ERRORS, evidence({ baseline: side(requests, 0), candidate: side(requests, errors) }));
    assert.equal(of(5), 'pass');
    assert.equal(of(9), 'notEnough', 'over the limit, which may be chance');
    assert.equal(of(50), 'breach');
    assert.equal(of(80, 10_000), 'notEnough');
    assert.equal(of(800, 100_000), 'breach', 'the same share of many is no chance');
  });

  it('does not blame the service for what happens to both', () =>
    assert.equal(verdict(ERRORS, evidence({ baseline: side(1000, 50), candidate: side(1000, 50) })), 'pass'));

  it('compares p95 of the same minutes, or with a number of milliseconds', () => {
    const of = (config: GateConfig, milliseconds: number, requests = 1000): string =>
      verdict(
        config,
        evidence({ baseline: side(requests, 0, 10), candidate: side(requests, 0, milliseconds) }),
      );
    assert.equal(of(SLOW, 10), 'pass');
    assert.equal(of(SLOW, 210), 'breach');
    assert.equal(of(SLOW, 210, 499), 'notEnough');
    assert.equal(of(gate({ metric: 'p95', max: 100 }), 210), 'breach');
    assert.equal(of(gate({ metric: 'p95', max: 300 }), 210), 'pass');
  });

  it('takes what nobody notices for nothing', () => {
    const of = (service: number, monolith: number): string =>
      verdict(SLOW, evidence({ baseline: side(1000, 0, monolith), candidate: side(1000, 0, service) }));
    assert.equal(of(2, 0.4), 'pass');
    assert.equal(of(9, 0.4), 'breach');
  });

  it('counts matches among what could be compared', () => {
    const of = (match: number, mismatch: number): string =>
      verdict(PARITY, evidence({ parity: { match, mismatch, ignored: 9000, incomparable: 9000 } }));
    assert.equal(of(499, 0), 'notEnough');
    assert.equal(of(500, 0), 'pass');
    assert.equal(of(997, 3), 'pass');
    assert.equal(of(992, 8), 'notEnough');
    assert.equal(of(950, 50), 'breach');
  });

  it('finds a fault that comes after an hour of health', () => {
    const hour = { seconds: 3600, baseline: side(180_000, 0), candidate: side(180_000, 40) };
    assert.equal(verdict(ERRORS, evidence(hour)), 'pass');
    const result = judge(
      ERRORS,
      evidence(hour, { seconds: 20, baseline: side(1000, 0), candidate: side(1000, 40) }),
    );
    assert.deepEqual([result.verdict, result.seconds, result.value], ['breach', 20, 0.04]);
  });

  it('says how old a baseline is that was kept', () => {
    const of = { ...evidence({ baseline: side(600, 0), candidate: side(600, 0) }), baselineAge: 90 };
    assert.equal(judge(ERRORS, of).baselineAge, 90);
    assert.match(judge(ERRORS, of).text, /baseline 90 s old/);
    assert.equal(judge(gate({ metric: 'p95', max: 100 }), of).baselineAge, null);
  });

  it('says the worst of two limits', () =>
    assert.equal(
      verdict(
        gate({ metric: 'p95', maxRatio: 3, max: 15 }),
        evidence({ baseline: side(600, 0, 10), candidate: side(600, 0, 20) }),
      ),
      'breach',
    ));

  it('takes an open breaker for a breach', () => {
    assert.equal(judgeBreaker(evidence({ candidate: side(2, 1) })), null);
    const open = { ...side(2, 2), open: 1 };
    assert.equal(judgeBreaker(evidence({ candidate: open }))?.verdict, 'breach');
  });
});
