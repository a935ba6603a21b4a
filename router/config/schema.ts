import { isIP } from 'node:net';
import { z } from 'zod';
import { milliseconds } from './amounts.ts';
import { feature } from './feature.ts';
import { upstreamName } from './names.ts';

/** The shape of strangler.yaml; of one feature: feature.ts. Every limit has its default here; durations become milliseconds, sizes bytes, shares fractions. */

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

const origin = z.string().transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const bare = url && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
  if (url && bare && (url.protocol === 'http:' || url.protocol === 'https:')) return url.origin;
  // A password is not repeated.
  const shown = text.replace(/\/\/[^/]*@/, '//…@');
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(shown)} is not an origin like http://127.0.0.1:3000 (no path, no credentials)`,
  });
  return z.NEVER;
});

/** Origins of the members of an etcd cluster, in a list or in one text between commas; an empty text is none of them. */
const members = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').flatMap((each) => each.trim() || []) : value),
  z.array(origin),
);

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
const srv = z.preprocess(
  (value) => (typeof value === 'string' ? { name: value } : value),
  z.strictObject({
    name: srvName,
    scheme: z.enum(['http', 'https']).default('http'),
    server: server.nullable().default(null),
    interval: milliseconds().default(5000),
  }),
);

/** A list, or what an environment variable can hold: separated by commas. */
const origins = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(',').map((text) => text.trim()) : value),
  z.array(origin).min(1),
);

/** An empty text is none, so that a variable that is not set leaves the setting out. */
const orNone = <T extends z.ZodType>(type: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), type.optional());

const upstream = z
  .strictObject({
    url: orNone(origin),
    urls: orNone(origins),
    dns: srv.optional(),
    /** Name under which its instances list themselves in etcd; beside it, url or urls serve until the registry was heard once. */
    etcd: orNone(upstreamName),
    timeouts: z
      .strictObject({
        connect: milliseconds().default(1000),
        response: milliseconds().default(30_000),
        idle: milliseconds().default(4000),
      })
      .prefault({}),
    maxInFlight: z.number().int().positive().default(1024),
  })
  .refine(({ url, urls, dns, etcd }) => {
    const listed = [url, urls].filter((each) => each !== undefined).length;
    return listed < 2 && (etcd === undefined ? listed + (dns ? 1 : 0) === 1 : dns === undefined);
  }, 'needs exactly one of url, urls, dns and etcd; only beside etcd may url or urls stand, for the time before the registry is heard')
  .transform(({ url, urls, dns, etcd, ...rest }) => ({
    urls: urls ?? (url === undefined ? null : [url]),
    dns: dns ?? null,
    etcd: etcd ?? null,
    ...rest,
  }));

const network = z.string().refine((text) => {
  const [address = '', bits] = text.split('/');
  const width = isIP(address) === 6 ? 128 : 32;
  return isIP(address) !== 0 && (bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= width));
}, 'is not a network like 10.0.0.0/8');

export const schema = z.strictObject({
  listen: listen.prefault('127.0.0.1:8080'),
  tls: z.strictObject({ key: z.string().min(1), cert: z.string().min(1) }).optional(),
  admin: z.strictObject({ listen: listen.prefault('127.0.0.1:8081') }).prefault({}),
  flags: z
    .strictObject({
      file: z.string().min(1).optional(),
      etcd: members.default([]),
      prefix: z
        .string()
        .regex(/^[\x21-\x7e]+\/$/, 'is not a prefix of keys like strangler/ (it ends with a slash)')
        .default('strangler/'),
      writable: z.boolean().default(true),
    })
    .refine(({ file, etcd }) => file !== undefined || etcd.length > 0, 'needs file, or etcd, or both'),
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
