import type { Counter } from '@prometheus-io/client';
import type { Reporter } from './reporter.ts';

export interface Tally extends Reporter {
  inc(...labels: string[]): void;
}

/** A counter for what is rare, which can be taken to another process. */
export function createTally(counter: Pick<Counter, 'labels'>, name: string): Tally {
  const fresh = new Map<string, number>();
  return {
    name,
    inc(...labels) {
      counter.labels(...labels).inc();
      const key = JSON.stringify(labels);
      fresh.set(key, (fresh.get(key) ?? 0) + 1);
    },
    take() {
      const taken = Object.fromEntries(fresh);
      fresh.clear();
      return taken;
    },
    add(delta) {
      for (const [key, count] of Object.entries(delta as Record<string, number>))
        counter.labels(...(JSON.parse(key) as string[])).inc(count);
    },
  };
}
