import type { Observation, Route } from '../forward/plan.ts';
import type { Decision } from '../request/decide.ts';
import { BUCKETS, bucketOf, type Histogram } from './histogram.ts';
import {
  PARITY_RESULTS,
  addParity,
  createParityRing,
  noParity,
  type ParityCounts,
  type ParityResult,
  type ParityRing,
} from './parity-ring.ts';
import type { Reporter } from './reporter.ts';
import { addSide, createRing, emptySum, type Ring, type SideWindow, type Sum } from './ring.ts';

/** What a feature's sides did in a span of time. */
export interface FeatureWindow {
  /** By upstream; one without traffic is absent. */
  readonly sides: Readonly<Record<string, SideWindow>>;
  readonly parity: ParityCounts;
}

/** A request that did not pass through the traffic port (a queue, a batch). */
export interface Sample {
  readonly upstream: string;
  readonly ok: boolean;
  readonly milliseconds: number;
  readonly parity: ParityResult | null;
  readonly count: number;
}

/** What has come since the last take, as JSON: one entry a side, `buckets` as pairs of bucket and count. */
export interface WindowsDelta {
  readonly at: number;
  readonly sides: readonly {
    readonly feature: string;
    readonly upstream: string;
    readonly compared: boolean;
    readonly requests: number;
    readonly errors: number;
    readonly open: number;
    readonly buckets: readonly (readonly [number, number])[];
  }[];
  readonly parity: readonly { readonly feature: string; readonly counts: ParityCounts }[];
}

export interface Windows extends Reporter {
  /** Notes what the decided upstream itself did; what it was never asked counts nowhere. */
  observe(observation: Observation): void;
  parity(feature: string, result: ParityResult, count?: number): void;
  sample(feature: string, sample: Sample): void;
  /** Everything from `fromMs` to before `toMs` (milliseconds since the epoch), in whole seconds. */
  between(feature: string, fromMs: number, toMs: number): FeatureWindow;
  /** The same without the requests whose side was not drawn: overrides, and those without a key, which only the default upstream gets. */
  compared(feature: string, fromMs: number, toMs: number): FeatureWindow;
  take(): WindowsDelta;
  add(delta: WindowsDelta, from: string): void;
  /** Adds what another router took, which is not ours to pass on. */
  hear(delta: WindowsDelta): void;
}

/** Seconds are kept for half an hour, minutes for a day: 1 KiB each a side that has traffic. */
const SECONDS = 1800;
const MINUTES = 1440;

interface Series {
  readonly feature: string;
  readonly upstream: string;
  readonly compared: boolean;
  readonly seconds: Ring;
  readonly minutes: Ring;
  /** Since the last take. */
  pending: Sum;
}

interface ParitySeries {
  readonly seconds: ParityRing;
  readonly minutes: ParityRing;
  pending: Record<ParityResult, number> | null;
}

/** Who did what when, by feature and upstream, for gates and for whoever looks on. `now`: milliseconds since the epoch. */
export function createWindows({ now }: { readonly now: () => number }): Windows {
  const byRoute = new WeakMap<Route, Series | typeof NONE>();
  const byFeature = new Map<string, Map<string, Series>>();
  const parities = new Map<string, ParitySeries>();

  function seriesOf(feature: string, upstream: string, compared: boolean): Series {
    let ofFeature = byFeature.get(feature);
    if (!ofFeature) byFeature.set(feature, (ofFeature = new Map()));
    const id = `${compared ? '+' : '-'}${upstream}`;
    let series = ofFeature.get(id);
    if (!series) {
      series = {
        feature,
        upstream,
        compared,
        seconds: createRing(1000, SECONDS),
        minutes: createRing(60_000, MINUTES),
        pending: emptySum(),
      };
      ofFeature.set(id, series);
    }
    return series;
  }

  function seriesOfRoute(route: Route): Series | typeof NONE {
    const decision = route.decision as Decision | null;
    const series = decision
      ? seriesOf(decision.feature, route.upstream, !APART.includes(decision.reason))
      : NONE;
    byRoute.set(route, series);
    return series;
  }

  function noteParity(feature: string, at: number, result: ParityResult, count: number, isOurs = true): void {
    let series = parities.get(feature);
    if (!series) {
      series = {
        seconds: createParityRing(1000, SECONDS),
        minutes: createParityRing(60_000, MINUTES),
        pending: null,
      };
      parities.set(feature, series);
    }
    series.seconds.note(at, result, count);
    series.minutes.note(at, result, count);
    if (isOurs) addParity((series.pending ??= noParity()), { ...noParity(), [result]: count });
  }

  function addAll({ at, sides, parity }: WindowsDelta, isOurs: boolean): void {
    for (const { feature, upstream, compared, requests, errors, open, buckets } of sides) {
      const series = seriesOf(feature, upstream, compared);
      const histogram = new Float64Array(BUCKETS);
      for (const [bucket, count] of buckets) histogram[bucket] = count;
      const side = { requests, errors, open, histogram };
      series.seconds.addSide(at, side);
      series.minutes.addSide(at, side);
      if (isOurs) addSide(series.pending, side);
    }
    for (const { feature, counts } of parity)
      for (const result of PARITY_RESULTS)
        if (counts[result] > 0) noteParity(feature, at, result, counts[result], isOurs);
  }

  function windowOf(feature: string, from: number, to: number, all: boolean): FeatureWindow {
    const sides: Record<string, Sum> = {};
    const parity = noParity();
    // Seconds reach back half an hour; what lies before is known by the minute.
    const border = Math.ceil((now() - SECONDS * 1000) / 60_000 + 1) * 60_000;
    const minute = Math.ceil(from / 60_000) * 60_000;
    const second = Math.max(from, border);
    for (const series of byFeature.get(feature)?.values() ?? []) {
      if (!all && !series.compared) continue;
      const sum = (sides[series.upstream] ??= emptySum());
      if (from < border) series.minutes.addTo(sum, minute, Math.min(to, border));
      series.seconds.addTo(sum, second, to);
    }
    const compared = parities.get(feature);
    if (from < border) compared?.minutes.addTo(parity, minute, Math.min(to, border));
    compared?.seconds.addTo(parity, second, to);
    return { sides: Object.fromEntries(Object.entries(sides).filter(([, sum]) => sum.requests > 0)), parity };
  }

  return {
    name: 'windows',
    observe({ route, own }) {
      if (route === null || own === null) return;
      const series = byRoute.get(route) ?? seriesOfRoute(route);
      if (series === NONE) return;
      const isOpen = own.failure === 'open';
      note(
        series,
        now(),
        isOpen ? -1 : bucketOf(own.milliseconds),
        own.failure !== null || own.status >= 500,
        isOpen,
        1,
      );
    },
    parity: (feature, result, count = 1) => noteParity(feature, now(), result, count),
    sample(feature, { upstream, ok, milliseconds, parity, count }) {
      note(seriesOf(feature, upstream, true), now(), bucketOf(milliseconds), !ok, false, count);
      if (parity) noteParity(feature, now(), parity, count);
    },
    between: (feature, from, to) => windowOf(feature, from, to, true),
    compared: (feature, from, to) => windowOf(feature, from, to, false),
    take() {
      const sides = [...byFeature.values()].flatMap((ofFeature) =>
        [...ofFeature.values()].flatMap((series) => {
          const { feature, upstream, compared, pending } = series;
          if (pending.requests === 0) return [];
          series.pending = emptySum();
          const { requests, errors, open, histogram } = pending;
          return [{ feature, upstream, compared, requests, errors, open, buckets: pairs(histogram) }];
        }),
      );
      const parity = [...parities].flatMap(([feature, series]) => {
        const counts = series.pending;
        series.pending = null;
        return counts ? [{ feature, counts }] : [];
      });
      return { at: now(), sides, parity };
    },
    add: (delta) => addAll(delta, true),
    hear: (delta) => addAll(delta, false),
  };
}

/** Traffic of no feature. */
const NONE = Symbol('no feature');

/** Reasons that take a request out of the comparison: who has no key, or chose a side, is not like those whose side was drawn. */
const APART: readonly Decision['reason'][] = ['NO_KEY', 'OVERRIDE', 'HOME', 'PIN'];

function note(
  series: Series,
  at: number,
  bucket: number,
  isError: boolean,
  isOpen: boolean,
  count: number,
): void {
  series.seconds.note(at, bucket, isError, isOpen, count);
  series.minutes.note(at, bucket, isError, isOpen, count);
  const { pending } = series;
  pending.requests += count;
  if (isError) pending.errors += count;
  if (isOpen) pending.open += count;
  if (bucket >= 0) pending.histogram[bucket]! += count;
}

function pairs(histogram: Histogram): [number, number][] {
  const found: [number, number][] = [];
  for (let bucket = 0; bucket < histogram.length; bucket++)
    if (histogram[bucket]! > 0) found.push([bucket, histogram[bucket]!]);
  return found;
}
