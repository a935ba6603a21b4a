import type { CarrierView } from '../admin/api.ts';
import type { WorkerJson } from '../admin/protocol.ts';
import type { Reporter } from '../metrics/reporter.ts';
import type { Report } from './protocol.ts';

/** The workers as control knows them. */
export interface Roster extends CarrierView {
  report(name: string, pid: number, report: Report): void;
  gone(pid: number): void;
}

/** What an upstream's status has in common with all others: numbers, names and lists of the like. */
interface Status {
  readonly [key: string]: unknown;
}

/** Longest wait for workers to say that they serve a new snapshot, in milliseconds: one that is stuck must not keep a change from being answered. */
const PATIENCE = 1000;

/** States that are not added but compared: the worst one, which stands last, is the one that shows. */
const STATES: Readonly<Record<string, readonly string[]>> = {
  breaker: ['closed', 'half-open', 'open'],
  registry: ['FRESH', 'EMPTY', 'STALE'],
};

/** Adds what workers report to the reporters of this process, and remembers each one's last status. */
export function createRoster(reporters: readonly Reporter[]): Roster {
  const known = new Map<number, WorkerJson>();
  const byName = new Map(reporters.map((reporter) => [reporter.name, reporter]));
  const waiting = new Set<() => void>();
  const isReached = (version: string): boolean =>
    known.values().every((worker) => worker.version === version);
  return {
    report(name, pid, { status, deltas }) {
      known.set(pid, { name, pid, ...status });
      // A worker of a later version may count what this control knows nothing of.
      for (const [reporter, delta] of Object.entries(deltas))
        byName.get(reporter)?.add(delta, `${name}/${pid}`);
      for (const look of waiting) look();
    },
    gone(pid) {
      known.delete(pid);
      for (const look of waiting) look();
    },
    reached: (version) =>
      new Promise((done) => {
        const end = (): void => {
          clearTimeout(timer);
          waiting.delete(look);
          done();
        };
        const look = (): void => {
          if (isReached(version)) end();
        };
        const timer = setTimeout(end, PATIENCE);
        waiting.add(look);
        look();
      }),
    connections: () => [...known.values()].reduce((sum, { connections }) => sum + connections, 0),
    instances: () => mergeLists([...known.values()].map(({ upstreams }) => upstreams as readonly Status[])),
    workers: () => [...known.values()].toSorted((a, b) => a.name.localeCompare(b.name) || a.pid - b.pid),
  };
}

/** Merges statuses that name the same thing (`name`, `url`). */
function mergeLists(lists: readonly (readonly Status[])[]): Status[] {
  const groups = Map.groupBy(lists.flat(), ({ name, url }) => String(name ?? url));
  return [...groups.values()].map(merge);
}

/** Numbers are added, lists merged, of states the worst one shows; the rest is the same everywhere. */
function merge(all: readonly Status[]): Status {
  return Object.fromEntries(
    Object.entries(all[0]!).map(([key, first]) => {
      const values = all.map((each) => each[key]);
      if (typeof first === 'number')
        return [key, (values as number[]).reduce((sum, value) => sum + value, 0)];
      if (Array.isArray(first)) return [key, mergeLists(values as Status[][])];
      const order = STATES[key];
      if (order)
        return [key, (values as string[]).reduce((a, b) => (order.indexOf(b) > order.indexOf(a) ? b : a))];
      return [key, first];
    }),
  );
}
