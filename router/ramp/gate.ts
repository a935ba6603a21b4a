import type { FeatureConfig } from '../config/schema.ts';
import { totalOf } from '../metrics/histogram.ts';
import type { SideWindow } from '../metrics/ring.ts';
import type { ParityCounts } from '../metrics/parity-ring.ts';
import { difference, quantileInterval, ratio, shareInterval, type Interval } from './statistics.ts';

export type GateConfig = FeatureConfig['gates'][number];
export type Verdict = 'pass' | 'breach' | 'notEnough';

/** A share from 0 to 1, a ratio of the service to the default upstream, milliseconds, or requests. */
export type Unit = 'share' | 'ratio' | 'milliseconds' | 'requests';

/** What a gate says. */
export interface GateResult {
  readonly metric: GateConfig['metric'] | 'breaker';
  readonly verdict: Verdict;
  /** What was measured: a difference of shares, a ratio, a share, milliseconds; null when nothing was. */
  readonly value: number | null;
  readonly limit: number | null;
  /** Of value and limit. */
  readonly unit: Unit;
  readonly samples: { readonly baseline: number; readonly candidate: number };
  /** Seconds that were looked at, up to the moment of judging. */
  readonly seconds: number;
  /** Age in seconds of a baseline that was kept from an earlier step; null: measured over the same seconds. */
  readonly baselineAge: number | null;
  /** A sentence for people. */
  readonly text: string;
}

/** One span of time, the same for both sides, unless the baseline is kept from earlier. */
export interface Span {
  readonly seconds: number;
  readonly baseline: SideWindow | null;
  readonly candidate: SideWindow | null;
  readonly parity: ParityCounts;
}

/** What is judged: the whole step first, then ever shorter ends of it. */
export interface Evidence {
  readonly candidate: string;
  readonly baseline: string;
  readonly spans: readonly [Span, ...Span[]];
  readonly baselineAge: number | null;
}

/**
 * How sure a breach is, in standard deviations on one side: by chance a single look goes wrong 3 times in a million. It is that strict because gates are
 * looked at every second, over several spans; gate-alarms.test.ts counts the false alarms of whole holds.
 */
export const BREACH_Z = 4.5;

interface Check {
  readonly limit: number;
  /** What was measured and the bounds of what it may truly be; null when a side had nothing. */
  readonly measure: (span: Span) => Interval | null;
  /** Which way is bad. */
  readonly over: boolean;
  readonly samples: (span: Span) => GateResult['samples'];
  readonly needsBaseline: boolean;
  readonly unit: Unit;
}

/** Judges one gate. Pure. The worst of its limits is what it says. */
export function judge(gate: GateConfig, evidence: Evidence): GateResult {
  const results = checksOf(gate).map((check) => judgeCheck(gate, check, evidence));
  return (
    results.find(({ verdict }) => verdict === 'breach') ??
    results.find(({ verdict }) => verdict === 'notEnough') ??
    results[0]!
  );
}

/** A service whose breaker is open answers nobody: a breach, whatever the gates. Null when it is closed. */
export function judgeBreaker({ candidate, spans }: Evidence): GateResult | null {
  const { seconds, candidate: side, baseline } = spans.at(-1)!;
  if (!side || side.open === 0) return null;
  return {
    metric: 'breaker',
    verdict: 'breach',
    value: side.open,
    limit: 0,
    unit: 'requests',
    samples: { baseline: baseline?.requests ?? 0, candidate: side.requests },
    seconds,
    baselineAge: null,
    text: `breaker: ${candidate} is taken out of service; ${side.open} of its ${side.requests} requests in ${seconds} s were not even sent`,
  };
}

function checksOf(gate: GateConfig): Check[] {
  const { metric, min, max, maxDelta, maxRatio, floor } = gate;
  const requests = ({ baseline, candidate }: Span): GateResult['samples'] => ({
    baseline: baseline?.requests ?? 0,
    candidate: candidate?.requests ?? 0,
  });
  const answers = ({ baseline, candidate }: Span): GateResult['samples'] => ({
    baseline: baseline ? totalOf(baseline.histogram) : 0,
    candidate: candidate ? totalOf(candidate.histogram) : 0,
  });
  const both =
    (of: (side: SideWindow) => Interval | null, join: (a: Interval, b: Interval) => Interval) =>
    ({ baseline, candidate }: Span): Interval | null => {
      const a = candidate && of(candidate);
      const b = baseline && of(baseline);
      return a && b ? join(a, b) : null;
    };
  const one =
    (of: (side: SideWindow) => Interval | null) =>
    ({ candidate }: Span): Interval | null =>
      candidate && of(candidate);
  const over = { over: true, needsBaseline: true };
  switch (metric) {
    case 'errorRate': {
      const base = { ...over, samples: requests, unit: 'share' } as const;
      return [
        ...limited(maxDelta, { ...base, measure: both(errorShare, difference) }),
        ...limited(max, { ...base, needsBaseline: false, measure: one(errorShare) }),
      ];
    }
    case 'p95':
      return [
        ...limited(maxRatio, {
          ...over,
          samples: answers,
          measure: both(p95, (a, b) => ratio(atLeast(floor, a), atLeast(floor, b))),
          unit: 'ratio',
        }),
        ...limited(max, {
          ...over,
          samples: answers,
          needsBaseline: false,
          measure: one(p95),
          unit: 'milliseconds',
        }),
      ];
    case 'parity':
      return limited(min, {
        over: false,
        needsBaseline: false,
        samples: ({ parity: { match, mismatch } }) => ({
          baseline: match + mismatch,
          candidate: match + mismatch,
        }),
        measure: ({ parity: { match, mismatch } }) =>
          match + mismatch === 0 ? null : shareInterval(match, match + mismatch, BREACH_Z),
        unit: 'share',
      });
  }
}

function limited(limit: number | undefined, check: Omit<Check, 'limit'>): Check[] {
  return limit === undefined ? [] : [{ ...check, limit }];
}

function errorShare({ errors, requests }: SideWindow): Interval | null {
  return requests === 0 ? null : shareInterval(errors, requests, BREACH_Z);
}

function p95({ histogram }: SideWindow): Interval | null {
  return quantileInterval(histogram, 0.95, BREACH_Z);
}

function atLeast(floor: number, { value, lower, upper }: Interval): Interval {
  return { value: Math.max(floor, value), lower: Math.max(floor, lower), upper: Math.max(floor, upper) };
}

/**
 * A breach: the measured value is beyond the limit, and so are the bounds of what it may truly be, over the step or over an end of it (a service that was well for
 * an hour may fall ill now). A pass: enough samples over the whole step, and the value is within. Anything else is not enough to tell.
 */
function judgeCheck(gate: GateConfig, check: Check, evidence: Evidence): GateResult {
  const { limit, over, unit, measure } = check;
  const format = FORMAT[unit];
  const isEnough = (span: Span): boolean => {
    const { baseline, candidate } = check.samples(span);
    return candidate >= gate.samples && (!check.needsBaseline || baseline >= gate.samples);
  };
  const isBreach = (span: Span): boolean => {
    const measured = isEnough(span) ? measure(span) : null;
    return measured !== null && (over ? measured.lower > limit : measured.upper < limit);
  };
  const span = evidence.spans.find(isBreach);
  const judged = span ?? evidence.spans[0];
  const value = measure(judged)?.value ?? null;
  const isWithin = value !== null && (over ? value <= limit : value >= limit);
  const verdict = span ? 'breach' : isEnough(judged) && isWithin ? 'pass' : 'notEnough';
  const samples = check.samples(judged);
  const baselineAge = check.needsBaseline ? evidence.baselineAge : null;
  const counted = check.needsBaseline
    ? `${samples.candidate} at ${evidence.candidate} against ${samples.baseline} at ${evidence.baseline}`
    : gate.metric === 'parity'
      ? `${samples.candidate} comparisons`
      : `${samples.candidate} at ${evidence.candidate}`;
  const bound = `${over ? 'at most' : 'at least'} ${format(limit)} allowed`;
  const found = value === null ? 'nothing measured' : format(value);
  const looked = `${judged.seconds} s${baselineAge === null ? '' : `, baseline ${baselineAge} s old`}`;
  const why = span
    ? ''
    : !isEnough(judged)
      ? `not enough data, ${gate.samples} samples a side are needed; `
      : isWithin
        ? ''
        : 'not enough data to tell it from chance; ';
  return {
    metric: gate.metric,
    verdict,
    value,
    limit,
    unit,
    samples,
    seconds: judged.seconds,
    baselineAge,
    text: `${gate.metric}: ${why}${found}, ${bound} (${counted}, ${looked})`,
  };
}

const FORMAT: Readonly<Record<Unit, (value: number) => string>> = {
  share: (value) => `${Number((value * 100).toFixed(3))} %`,
  ratio: (value) => `× ${value.toFixed(2)}`,
  milliseconds: (value) => `${value.toFixed(1)} ms`,
  requests: String,
};
