import { z } from 'zod';
import { DEFAULT_HEADERS } from '../shadow/compare/headers.ts';
import { bytes, fraction, milliseconds } from './amounts.ts';
import { headerName, token, upstreamName } from './names.ts';

const route = z.strictObject({
  match: z.string(),
  effect: z.enum(['read', 'write']),
  entity: z.string().optional(),
  maxBody: bytes().optional(),
  timeout: milliseconds().optional(),
  /** Requests that change something are repeated at the shadow too: the service changes nothing that the monolith sees. */
  shadowWrites: z.literal('isolated').optional(),
});

const keySource = z.union(
  [
    z.strictObject({ header: headerName }),
    z.strictObject({ cookie: token, claim: z.string().min(1).optional() }),
    z.strictObject({ issue: token }),
  ],
  { error: 'is not { header: … }, { cookie: …, claim: … } or { issue: … }' },
);

const gate = z.strictObject({
  metric: z.enum(['parity', 'errorRate', 'p95']),
  min: z.number().min(0).max(1).optional(),
  max: z.union([z.number(), milliseconds()]).optional(),
  maxDelta: z.number().min(0).optional(),
  maxRatio: z.number().min(0).optional(),
  /** p95 below it is as good as this: nobody notices the third part of a millisecond, though it be half as much again. */
  floor: milliseconds().default(5),
  samples: z.number().int().positive().default(500),
});

const shadow = z.strictObject({
  sample: fraction().default(0.1),
  maxBody: bytes()
    .refine((value) => value >= 1024 && value <= 2 * 2 ** 20, 'is not between 1KiB and 2MiB')
    .default(2 ** 20),
  compare: z.enum(['status', 'json', 'bytes', 'image']).default('json'),
  headers: z.union([z.literal('all'), z.array(headerName)]).default([...DEFAULT_HEADERS]),
  imageDistance: fraction().default(0.12),
  again: fraction().default(0.05),
  inFlight: z.number().int().min(1).max(256).default(16),
  timeouts: z
    .strictObject({
      connect: milliseconds().default(1000),
      response: milliseconds().default(5000),
      total: milliseconds().default(10_000),
    })
    .prefault({}),
});

/** What every feature has, whatever is diverted. */
const every = {
  owner: z.string().default(''),
  upstream: upstreamName,
  flag: z.string().min(1),
  gates: z.array(gate).default([]),
  ramp: z
    .strictObject({
      steps: z.array(z.number().int().min(1).max(100)).min(1),
      hold: milliseconds().default(600_000),
      onBreach: z.enum(['stepBack', 'pause']).default('stepBack'),
    })
    .optional(),
  retire: z.strictObject({ after: milliseconds().default(7 * 86_400_000) }).prefault({}),
};

const http = z.strictObject({
  ...every,
  kind: z.literal('http').optional(),
  // Where its rows are: one set for both sides; both have them and each row one home; the service alone (decisions/009).
  data: z.enum(['shared', 'moving', 'own']).default('shared'),
  key: z.array(keySource).min(1),
  override: z.strictObject({ header: headerName.optional(), cookie: token.optional() }).optional(),
  context: z.array(headerName).default([]),
  routes: z.array(route).min(1),
  fallback: z
    .strictObject({
      on: z.array(z.enum(['connect', 'timeout', '5xx'])).default(['connect', 'timeout', '5xx']),
    })
    .prefault({}),
  shadow: shadow.optional(),
});

/** Refuses a key that says something of requests only. */
const absent = (why: string) => z.never({ error: `a seam has none: ${why}` }).optional();

/** Work that the application diverts by itself, asking for the flag (router/admin/ofrep.ts): the router sees no request of it. */
const seam = z.strictObject({
  ...every,
  kind: z.literal('seam'),
  data: z
    .enum(['shared', 'own'], {
      error: 'is shared or own: rows move by the routes that write them, and a seam has none',
    })
    .default('shared'),
  key: absent('the application names the key with each evaluation (targetingKey)'),
  override: absent('a seam has no requests that could carry one'),
  context: absent('targeting sees all that the application sends with an evaluation'),
  routes: absent('no request of it passes the router; a feature with routes is of kind http'),
  fallback: absent('the application itself falls back to the default side'),
  shadow: z.strictObject({ sample: fraction().default(0.1) }).optional(),
});

export type HttpFeature = z.output<typeof http> & { readonly kind: 'http' };
/** A seam has the shape of any other feature, with no routes and no key, so that whoever goes through features needs no second case. */
export type Feature = Omit<HttpFeature, 'kind'> & { readonly kind: 'http' | 'seam' };

export const feature = z
  .discriminatedUnion('kind', [http, seam], {
    error: (issue) => (issue.code === 'invalid_union' ? 'is http (the default) or seam' : undefined),
  })
  .transform((given): Feature => {
    if (given.kind !== 'seam') return { ...given, kind: 'http' };
    return {
      ...given,
      key: [],
      override: undefined,
      context: [],
      routes: [],
      fallback: { on: [] },
      shadow: given.shadow && shadow.parse(given.shadow),
    };
  });
