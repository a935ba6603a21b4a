import { Homes, type Home } from '../request/home.ts';
import type { Reporter } from './reporter.ts';
import type { Metric } from './traffic.ts';

/** What happened to the writes of one feature whose rows move, since the start. */
interface Counts {
  /** Answers 421. */
  misdirected: number;
  /** Writes that waited for the end of a handover. */
  held: number;
  /** Bytes of bodies that were written to disk. */
  spooledBytes: number;
}

/** The same as the admin API shows it. */
export interface WritesView extends Readonly<Counts> {
  /** How many things are known to have their home there, by upstream. */
  readonly homes: Readonly<Record<string, number>>;
  /** Whom a write asks whose home is not known. */
  readonly majority: string;
}

/** The writes of one feature: their homes, and what is counted. */
export interface FeatureWrites {
  readonly homes: Homes;
  /** A side has answered 421 and named a home, or none. */
  misdirected(subject: string, home: Home | null): void;
  settled(subject: string, upstream: string, named: Home | null): void;
  held(): void;
  spooled(bytes: number): void;
  view(): WritesView;
}

/** The writes of all features whose rows move. What a worker learns, control learns with its next report, and shows. */
export interface Writes extends Reporter {
  of(feature: string, monolith: string, service: string): FeatureWrites;
  readonly metrics: readonly Metric[];
}

/** What has come since the last report. */
interface Delta {
  readonly of: readonly [feature: string, monolith: string, service: string];
  readonly counts: Counts;
  /** Writes done, by side, and homes learned. */
  readonly settled: Readonly<Record<string, number>>;
  readonly learned: readonly (readonly [subject: string, home: Home])[];
}

/** Homes learned that one report takes along; more of them are learned there when they are asked for. */
const MAX_LEARNED = 500;

export function createWrites(): Writes {
  const all = new Map<string, { writes: FeatureWrites; take(): Delta | null; add(delta: Delta): void }>();
  const entry = (names: Delta['of']) => {
    const id = JSON.stringify(names);
    let found = all.get(id);
    if (!found) all.set(id, (found = createEntry(names)));
    return found;
  };
  const metric = (name: string, help: string, key: keyof Counts): Metric => {
    const values = () =>
      [...all].map(([id, { writes }]) => ({
        labels: { feature: (JSON.parse(id) as Delta['of'])[0] },
        value: writes.view()[key],
      }));
    const self: Metric = { name, help, type: 'counter', get: async () => ({ ...self, values: values() }) };
    return self;
  };
  return {
    name: 'writes',
    of: (...names) => entry(names).writes,
    take: () => [...all.values()].flatMap((each) => each.take() ?? []),
    add(delta) {
      for (const each of delta as readonly Delta[]) entry(each.of).add(each);
    },
    metrics: [
      metric('strangler_misdirected_total', 'Writes that a side refused with 421, by feature', 'misdirected'),
      metric(
        'strangler_writes_held_total',
        'Writes that waited for the end of a handover, by feature',
        'held',
      ),
      metric(
        'strangler_spooled_bytes_total',
        'Bytes of request bodies written to disk, by feature',
        'spooledBytes',
      ),
    ],
  };
}

function createEntry(names: Delta['of']): {
  writes: FeatureWrites;
  take(): Delta | null;
  add(delta: Delta): void;
} {
  const [, monolith, service] = names;
  const homes = new Homes(monolith, service);
  const total: Counts = { misdirected: 0, held: 0, spooledBytes: 0 };
  let fresh: Counts = { ...total };
  let settled: Record<string, number> = {};
  let learned = new Map<string, Home>();
  const count = (key: keyof Counts, amount: number): void => {
    total[key] += amount;
    fresh[key] += amount;
  };
  const note = (subject: string): void => {
    const home = homes.known(subject);
    if (home !== null && learned.size < MAX_LEARNED) learned.set(subject, home);
  };
  return {
    writes: {
      homes,
      misdirected(subject, home) {
        count('misdirected', 1);
        if (home !== null && homes.learn(subject, home)) note(subject);
      },
      settled(subject, upstream, named) {
        homes.settled(subject, upstream, named);
        settled[upstream] = (settled[upstream] ?? 0) + 1;
        if (named !== null) note(subject);
      },
      held: () => count('held', 1),
      spooled: (bytes) => count('spooledBytes', bytes),
      view: () => ({ ...total, homes: homes.counts(), majority: homes.majority() }),
    },
    take() {
      const counts = fresh;
      const delta: Delta = { of: names, counts, settled, learned: [...learned] };
      fresh = { misdirected: 0, held: 0, spooledBytes: 0 };
      settled = {};
      learned = new Map();
      const isEmpty = Object.values({ ...counts, ...delta.settled }).every((value) => value === 0);
      return isEmpty && delta.learned.length === 0 ? null : delta;
    },
    add(delta) {
      for (const key of ['misdirected', 'held', 'spooledBytes'] as const) total[key] += delta.counts[key];
      for (const [upstream, writes] of Object.entries(delta.settled)) homes.lean(upstream, writes);
      for (const [subject, home] of delta.learned) homes.learn(subject, home);
    },
  };
}
