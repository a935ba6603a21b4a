import { z } from 'zod';
import { Problem } from '../errors.ts';
import type { Snapshot } from '../flags/snapshot.ts';
import { PARITY_RESULTS } from '../metrics/parity-ring.ts';
import type { Windows } from '../metrics/windows.ts';
import { MAX_DIFFERENCES } from '../shadow/compare/difference.ts';
import type { Parity } from '../shadow/parity.ts';
import { mismatchOfReport } from '../shadow/reported.ts';

/** Longest body of observations, in bytes: what 1,000 of them take with room to spare, or some hundred with differences. */
export const MAX_OBSERVATIONS_BODY = 262_144;

/** Most observations in one call. */
const MAX = 1000;

export interface ObservationParts {
  readonly windows: Pick<Windows, 'sample' | 'parity'>;
  readonly shadow: { readonly parity: Pick<Parity, 'result' | 'mismatch'> };
  /** Told of features that the default side did work of; the evidence of retiring. */
  readonly defaultAnswered: (feature: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const difference = z.strictObject({
  subject: z.string().min(1).max(1000),
  differences: z
    .array(
      z.strictObject({
        path: z.string().min(1).max(500),
        default: value.optional(),
        candidate: value.optional(),
      }),
    )
    .min(1)
    .max(4 * MAX_DIFFERENCES),
});

const observation = (sides: readonly [string, string]) =>
  z
    .strictObject({
      side: z.enum(sides),
      ok: z.boolean(),
      milliseconds: z.number().min(0).max(86_400_000),
      parity: z.enum(PARITY_RESULTS).nullable().default(null),
      count: z.number().int().min(1).max(100_000).default(1),
      difference: difference.nullable().default(null),
      shadow: z.boolean().default(false),
    })
    .refine(({ difference: found, parity }) => found === null || parity === null || parity === 'mismatch', {
      path: ['parity'],
      error: 'is mismatch where there is a difference',
    });

/**
 * Observations of work that does not pass through the traffic port: a seam's, a queue's consumer, a batch. They count in the gates as requests do. Body:
 * `{ observations: [{ side, ok, milliseconds, parity?, count?, difference?, shadow? }] }`, where `side` is the upstream that did the work and `count` says
 * how many were alike. A `difference` (`{ subject, differences: [{ path, default?, candidate? }] }`) makes it a mismatch that the feature's parity shows.
 * `shadow: true` is work that was done beside the one that counted: only its parity is noted. Answers how many were counted. Throws Problem.
 */
export function noteObservations(
  parts: ObservationParts,
  snapshot: Snapshot,
  name: string,
  body: unknown,
): number {
  const feature = snapshot.features.get(name);
  if (!feature) throw new Problem('NOT_FOUND', `there is no feature "${name}"`);
  const sides = { default: snapshot.config.default, service: feature.config.upstream };
  const schema = z.strictObject({
    observations: z
      .array(observation([sides.default, sides.service]))
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
  for (const { side, ok, milliseconds, count, difference: found, shadow, ...rest } of result.data
    .observations) {
    counted += count;
    const parity = found === null ? rest.parity : 'mismatch';
    if (parity !== null) parts.shadow.parity.result(name, parity, count);
    if (found !== null) parts.shadow.parity.mismatch(name, mismatchOfReport(found, sides, parts.now()));
    if (shadow) {
      if (parity !== null) parts.windows.parity(name, parity, count);
      continue;
    }
    parts.windows.sample(name, { upstream: side, ok, milliseconds, parity, count });
    if (side === sides.default) parts.defaultAnswered(name);
  }
  return counted;
}
