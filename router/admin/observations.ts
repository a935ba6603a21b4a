import { z } from 'zod';
import { Problem } from '../errors.ts';
import { PARITY_RESULTS } from '../metrics/parity-ring.ts';
import type { Sample, Windows } from '../metrics/windows.ts';

/** Longest body, in bytes: what 1,000 observations take with room to spare. */
export const MAX_OBSERVATIONS_BODY = 262_144;

/** Most observations in one call. */
const MAX = 1000;

/**
 * Observations of work that does not pass through the traffic port: a queue's consumer, a batch. They count in the gates as requests do. Body:
 * `{ observations: [{ side, ok, milliseconds, parity?, count? }] }`, where `side` is the upstream that did the work and `count` says how many were alike.
 * Answers how many requests were counted. Throws Problem.
 */
export function noteObservations(
  windows: Pick<Windows, 'sample'>,
  feature: { readonly name: string; readonly config: { readonly upstream: string } },
  fallback: string,
  body: unknown,
): number {
  const schema = z.strictObject({
    observations: z
      .array(
        z.strictObject({
          side: z.enum([fallback, feature.config.upstream]),
          ok: z.boolean(),
          milliseconds: z.number().min(0).max(86_400_000),
          parity: z.enum(PARITY_RESULTS).nullable().default(null),
          count: z.number().int().min(1).max(100_000).default(1),
        }),
      )
      .min(1)
      .max(MAX),
  });
  const result = schema.safeParse(body ?? {});
  if (!result.success) {
    const faults = result.error.issues
      .slice(0, 10)
      .map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
    throw new Problem('BAD_REQUEST', faults.join('; '));
  }
  let counted = 0;
  for (const { side, ...rest } of result.data.observations) {
    windows.sample(feature.name, { upstream: side, ...rest } satisfies Sample);
    counted += rest.count;
  }
  return counted;
}
