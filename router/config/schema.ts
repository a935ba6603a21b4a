import { isIP } from 'node:net';
import { z } from 'zod';
import { DEFAULT_HEADERS } from '../shadow/compare/headers.ts';
import { duration, share, size } from './units.ts';

/** The shape of strangler.yaml. Every limit has its default here; durations become milliseconds, sizes bytes, shares fractions. */

const amount = (parse: (text: string) => number | null, example: string) =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const parsed = parse(String(value));
    if (parsed !== null) return parsed;
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(value)} is not an amount like ${example}`,
    });
    return z.NEVER;
  });
const milliseconds = () => amount(duration, '500ms, 10s or 5m');
const bytes = () => amount(size, '64KiB or 25MiB');
const fraction = () => amount(share, '10% or 0.1');

/** `127.0.0.1:8080`, `[::1]:8080`, `:8080` (every address) or a bare port (loopback). */
const listen = z.union([z.string(), z.number()]).transform((value, context) => {
  const found = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]*):)?(\d{1,5})$/.exec(String(value));
  const host = found?.[1]?.replace(/^\[|\]$/g, '');
  const port = Number(found?.[2]);
  if (!found || port > 65535) {
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(value)} is not an address like 127.0.0.1:8080`,
    });
    return z.NEVER;
  }
  return { host: host === undefined ? '127.0.0.1' : host === '' ? '0.0.0.0' : host, port };
});

const token = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'is not a valid header or cookie name');
const headerName = token.transform((name) => name.toLowerCase());
const upstreamName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'use up to 63 letters, digits, dots, dashes and underscores');

const origin = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const bare = url && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
  if (url && bare && (url.protocol === 'http:' || url.protocol === 'https:')) return url.origin;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(text)} is not an origin like http://127.0.0.1:3000 (no path, no credentials)`,
  });
  return z.NEVER;
});

/** `_images._tcp.shop.internal`, or the same with scheme and interval. */
const srvName = z
  .string()
  .regex(/^_[a-z0-9-]+\._tcp(\.[a-z0-9-]+)+\.?$/i, 'is not an SRV name like _images._tcp.shop.internal');
const server = z
  .string()
  .regex(
    /^(?:[0-9.]+|\[[0-9a-f:]+\])(?::\d{1,5})?$/i,
    'is not the address of a name server like 127.0.0.1:8600',
  );
const srv = z.union([
  srvName.transform((name) => ({ name, scheme: 'http' as const, server: null, interval: 5000 })),
  z.strictObject({
    name: srvName,
    scheme: z.enum(['http', 'https']).default('http'),
    server: server.nullable().default(null),
    interval: milliseconds().default(5000),
  }),
]);

const upstream = z
  .strictObject({
    url: origin.optional(),
    urls: z.array(origin).min(1).optional(),
    dns: srv.optional(),
    timeouts: z
      .strictObject({
        connect: milliseconds().default(1000),
        response: milliseconds().default(30_000),
        idle: milliseconds().default(4000),
      })
      .prefault({}),
    maxInFlight: z.number().int().positive().default(1024),
  })
  .refine(
    ({ url, urls, dns }) => [url, urls, dns].filter((each) => each !== undefined).length === 1,
    'needs exactly one of url, urls and dns',
  )
  .transform(({ url, urls, dns, ...rest }) => ({
    urls: urls ?? (url === undefined ? null : [url]),
    dns: dns ?? null,
    ...rest,
  }));

const network = z.string().refine((text) => {
  const [address = '', bits] = text.split('/');
  const width = isIP(address) === 6 ? 128 : 32;
  return isIP(address) !== 0 && (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= width));
}, 'is not a network like 10.0.0.0/8');

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

const feature = z.strictObject({
  owner: z.string().default(''),
  upstream: upstreamName,
  flag: z.string().min(1),
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
  shadow: z
    .strictObject({
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
    })
    .optional(),
  gates: z.array(gate).default([]),
  ramp: z
    .strictObject({
      steps: z.array(z.number().int().min(1).max(100)).min(1),
      hold: milliseconds().default(600_000),
      onBreach: z.enum(['stepBack', 'pause']).default('stepBack'),
    })
    .optional(),
  retire: z.strictObject({ after: milliseconds().default(7 * 86_400_000) }).prefault({}),
});

export const schema = z.strictObject({
  listen: listen.prefault('127.0.0.1:8080'),
  tls: z.strictObject({ key: z.string().min(1), cert: z.string().min(1) }).optional(),
  admin: z.strictObject({ listen: listen.prefault('127.0.0.1:8081') }).prefault({}),
  flags: z.strictObject({ file: z.string().min(1), writable: z.boolean().default(true) }),
  trust: z.strictObject({ proxies: z.array(network).default([]) }).prefault({}),
  log: z.strictObject({ requests: z.enum(['none', 'errors', 'all']).default('errors') }).prefault({}),
  // Processes that carry requests; above 1 the admin port is another one's (decisions/007).
  workers: z.number().int().min(1).max(64).default(1),
  drain: z
    .strictObject({ delay: milliseconds().default(0), deadline: milliseconds().default(30_000) })
    .prefault({}),
  upstreams: z.record(upstreamName, upstream),
  default: upstreamName,
  features: z.record(z.string().min(1).max(100), feature).default({}),
});

export type Config = z.output<typeof schema>;
export type FeatureConfig = Config['features'][string];
export type RouteConfig = FeatureConfig['routes'][number];
export type KeySource = FeatureConfig['key'][number];
