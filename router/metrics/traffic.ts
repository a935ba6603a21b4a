import type { Observation, Route } from '../forward/plan.ts';
import type { Decision } from '../request/decide.ts';
import type { Reporter } from './reporter.ts';

/** Seconds. Fine around the tens of milliseconds where most answers are, coarse above. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What a registry of @prometheus-io/client asks of a metric. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram';
  get(): Promise<Metric & { readonly values: readonly Sample[] }>;
}

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Requests a bucket, not cumulative; the last one is everything above. */
  readonly buckets: number[];
  sum: number;
  /** Requests by who answered and the status. */
  readonly answers: Map<number, { readonly labels: Readonly<Record<string, string>>; count: number }>;
}

/** What a worker has counted in one series, as it travels to control. */
interface SeriesDelta {
  readonly labels: Readonly<Record<string, string>>;
  readonly buckets: readonly number[];
  /** Seconds. */
  readonly sum: number;
  readonly answers: readonly (readonly [
    key: number,
    labels: Readonly<Record<string, string>>,
    count: number,
  ])[];
}

/**
 * The two metrics that every request moves. The library counts through label lookups, which take longer than finding the route; here a
 * route's series is found by its plan, and the library only writes the text.
 */
export function createTraffic(): Reporter & {
  observe(observation: Observation): void;
  readonly metrics: readonly Metric[];
} {
  const byRoute = new WeakMap<Route, Series>();
  const all = new Map<string, Series>();
  const refused = seriesOf(null, all);

  const requests = metric(
    'strangler_requests_total',
    'Requests, by feature, the upstream that was decided on, the one that answered ("router": none did), the reason and the status',
    'counter',
    () =>
      [...all.values()].flatMap((series) =>
        [...series.answers.values()].map(({ labels, count }) => ({ labels, value: count })),
      ),
  );
  const duration = metric(
    'strangler_request_duration_seconds',
    'From the head read to the last byte of the answer',
    'histogram',
    () => merged(all).flatMap(histogram),
  );

  return {
    name: 'traffic',
    take: () => [...all.values()].flatMap(emptied),
    add: (delta) => {
      for (const series of delta as readonly SeriesDelta[]) addTo(all, series);
    },
    metrics: [requests, duration],
    observe({ route, status, answeredBy, milliseconds }) {
      let series = route === null ? refused : byRoute.get(route);
      if (!series) byRoute.set(route!, (series = seriesOf(route, all)));
      const seconds = milliseconds / 1000;
      series.sum += seconds;
      let bucket = 0;
      while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket++;
      series.buckets[bucket]! += 1;
      // Who answered: the decided upstream, another one (the fallback), or the router itself.
      const who = answeredBy === null ? 2 : answeredBy === route?.upstream ? 0 : 1;
      let answer = series.answers.get(status * 4 + who);
      if (!answer) {
        answer = {
          labels: { ...series.labels, answered_by: answeredBy ?? 'router', status: String(status) },
          count: 0,
        };
        series.answers.set(status * 4 + who, answer);
      }
      answer.count += 1;
    },
  };
}

/** Plans are made anew with every snapshot; their series go on. */
function seriesOf(route: Route | null, all: Map<string, Series>): Series {
  const decision = (route?.decision ?? null) as Decision | null;
  return seriesFor(
    {
      feature: decision?.feature ?? '',
      upstream: route?.upstream ?? '',
      reason: decision?.reason ?? 'NO_ROUTE',
    },
    all,
  );
}

function seriesFor(labels: Readonly<Record<string, string>>, all: Map<string, Series>): Series {
  const id = JSON.stringify(Object.values(labels));
  let series = all.get(id);
  if (!series)
    all.set(
      id,
      (series = { labels, buckets: Array<number>(BUCKETS.length + 1).fill(0), sum: 0, answers: new Map() }),
    );
  return series;
}

/** A series' counts, which start again from 0; nothing when there are none. The series itself stays: routes hold on to it. */
function emptied(series: Series): SeriesDelta[] {
  if (series.buckets.every((count) => count === 0)) return [];
  const delta: SeriesDelta = {
    labels: series.labels,
    buckets: [...series.buckets],
    sum: series.sum,
    answers: [...series.answers].map(([key, { labels, count }]) => [key, labels, count] as const),
  };
  series.buckets.fill(0);
  series.sum = 0;
  series.answers.clear();
  return [delta];
}

function addTo(all: Map<string, Series>, { labels, buckets, sum, answers }: SeriesDelta): void {
  const series = seriesFor(labels, all);
  buckets.forEach((count, index) => (series.buckets[index]! += count));
  series.sum += sum;
  for (const [key, answerLabels, count] of answers) {
    const known = series.answers.get(key);
    if (known) known.count += count;
    else series.answers.set(key, { labels: answerLabels, count });
  }
}

/** Durations are told apart by feature and upstream only: a histogram a reason would be many. */
function merged(all: ReadonlyMap<string, Series>): Series[] {
  const sums = new Map<string, Series>();
  for (const { labels, buckets, sum } of all.values()) {
    const { feature = '', upstream = '' } = labels;
    const id = JSON.stringify([feature, upstream]);
    const total = sums.get(id) ?? {
      labels: { feature, upstream },
      buckets: buckets.map(() => 0),
      sum: 0,
      answers: new Map(),
    };
    buckets.forEach((count, index) => (total.buckets[index]! += count));
    total.sum += sum;
    sums.set(id, total);
  }
  return [...sums.values()];
}

function histogram({ labels, buckets, sum }: Series): Sample[] {
  let below = 0;
  const name = 'strangler_request_duration_seconds';
  const samples: Sample[] = buckets.map((count, index) => {
    below += count;
    return {
      metricName: `${name}_bucket`,
      labels: { ...labels, le: BUCKETS[index] ?? '+Inf' },
      value: below,
    };
  });
  return [
    ...samples,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: below },
  ];
}

function metric(name: string, help: string, type: Metric['type'], values: () => Sample[]): Metric {
  const self: Metric = { name, help, type, get: async () => ({ ...self, values: values() }) };
  return self;
}
