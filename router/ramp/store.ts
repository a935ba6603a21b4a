import { join } from 'node:path';
import { z } from 'zod';
import { readText, replaceFile } from '../flags/file.ts';
import { BUCKETS } from '../metrics/histogram.ts';
import type { SideWindow } from '../metrics/ring.ts';
import type { Progress } from './progress.ts';

/** What survives a restart: when the steps began, and the baselines that were kept. The windows themselves do not. */
export interface RampStore {
  /** By feature. Empty when there is no file, or one that can't be read: then every hold begins anew. */
  read(): Map<string, Progress>;
  write(progress: ReadonlyMap<string, Progress>): void;
}

const side = z.object({
  requests: z.number(),
  errors: z.number(),
  open: z.number(),
  buckets: z.array(
    z.tuple([
      z
        .number()
        .int()
        .min(0)
        .max(BUCKETS - 1),
      z.number(),
    ]),
  ),
});
const file = z.object({
  features: z.record(
    z.string(),
    z.object({
      stage: z.string(),
      percent: z.number().nullable(),
      killed: z.boolean(),
      ramp: z.string(),
      since: z.number(),
      kept: z.object({ until: z.number(), side }).nullable(),
    }),
  ),
});

/** `ramp.json` in the state folder. `startedAt`: from when on there are windows, milliseconds since the epoch. */
export function rampStore(stateDir: string, startedAt: number): RampStore {
  const path = join(stateDir, 'ramp.json');
  return {
    read() {
      const found = readText(path);
      return progressOf('text' in found ? found.text : '', startedAt);
    },
    write: (progress) => replaceFile(path, textOf(progress), 0o600),
  };
}

/** Progress by feature from its text; empty when that can't be read. */
export function progressOf(text: string, startedAt: number): Map<string, Progress> {
  const parsed = file.safeParse(jsonOf(text));
  return new Map(
    Object.entries(parsed.data?.features ?? {}).map(([name, { kept, ...rest }]) => [
      name,
      {
        ...rest,
        from: startedAt,
        kept: kept && { until: kept.until, side: sideOf(kept.side) },
      },
    ]),
  );
}

export function textOf(progress: ReadonlyMap<string, Progress>): string {
  const features = Object.fromEntries(
    [...progress].map(([name, { stage, percent, killed, ramp, since, kept }]) => [
      name,
      { stage, percent, killed, ramp, since, kept: kept && { until: kept.until, side: packed(kept.side) } },
    ]),
  );
  return JSON.stringify({ features });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function sideOf({ buckets, ...counts }: z.output<typeof side>): SideWindow {
  const histogram = new Float64Array(BUCKETS);
  for (const [bucket, count] of buckets) histogram[bucket] = count;
  return { ...counts, histogram };
}

function packed({ requests, errors, open, histogram }: SideWindow): z.output<typeof side> {
  const buckets = Array.from(histogram, (count, bucket): [number, number] => [bucket, count]);
  return { requests, errors, open, buckets: buckets.filter(([, count]) => count > 0) };
}
