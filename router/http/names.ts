import { TOKEN } from './octets.ts';

/** The header fields that mean something to a hop. Any other is 0 and passes without a look. */
export const FIELD = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  keepAlive: 5,
  proxyConnection: 6,
  proxyAuthenticate: 7,
  proxyAuthorization: 8,
  te: 9,
  upgrade: 10,
  expect: 11,
  forwardedFor: 12,
  forwardedHost: 13,
  forwardedProto: 14,
  forwardedOther: 15,
  forwarded: 16,
  via: 17,
  traceparent: 18,
  tracestate: 19,
  requestId: 20,
  cookie: 21,
  strangler: 22,
  contentType: 23,
  cacheControl: 24,
  serverTiming: 25,
} as const;

const NAMES: Readonly<Record<string, number>> = {
  host: FIELD.host,
  'content-length': FIELD.contentLength,
  'transfer-encoding': FIELD.transferEncoding,
  connection: FIELD.connection,
  'keep-alive': FIELD.keepAlive,
  'proxy-connection': FIELD.proxyConnection,
  'proxy-authenticate': FIELD.proxyAuthenticate,
  'proxy-authorization': FIELD.proxyAuthorization,
  te: FIELD.te,
  upgrade: FIELD.upgrade,
  expect: FIELD.expect,
  'x-forwarded-for': FIELD.forwardedFor,
  'x-forwarded-host': FIELD.forwardedHost,
  'x-forwarded-proto': FIELD.forwardedProto,
  forwarded: FIELD.forwarded,
  via: FIELD.via,
  traceparent: FIELD.traceparent,
  tracestate: FIELD.tracestate,
  'x-request-id': FIELD.requestId,
  cookie: FIELD.cookie,
  'content-type': FIELD.contentType,
  'cache-control': FIELD.cacheControl,
  'server-timing': FIELD.serverTiming,
};

/**
 * Fields of one hop (RFC 9110 section 7.6.1, and the proxy fields of its predecessor), dropped both ways. Transfer-Encoding is one too but
 * stays where it stood: the body that follows was checked and keeps its chunks.
 */
export const HOP_BY_HOP = flags(
  FIELD.connection,
  FIELD.keepAlive,
  FIELD.proxyConnection,
  FIELD.proxyAuthenticate,
  FIELD.proxyAuthorization,
  FIELD.te,
  FIELD.upgrade,
);

/** Fields that Connection must not name: without them a message changes its meaning. */
export const NOT_NOMINABLE = flags(FIELD.host, FIELD.contentLength, FIELD.transferEncoding);

function flags(...ids: number[]): Uint8Array {
  return Uint8Array.from({ length: 64 }, (_, id) => (ids.includes(id) ? 1 : 0));
}

interface Known {
  readonly bytes: Uint8Array;
  readonly id: number;
}

const BY_LENGTH: readonly (readonly Known[])[] = Array.from({ length: 24 }, (_, length) =>
  Object.entries(NAMES)
    .filter(([name]) => name.length === length)
    .map(([name, id]) => ({ bytes: Buffer.from(name), id })),
);
const STRANGLER = Buffer.from('strangler-');
const X_FORWARDED = Buffer.from('x-forwarded-');

/** Number of the field whose name stands in `bytes[start, end)`; the name must be a token. */
export function fieldId(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  const first = TOKEN[bytes[start]!]!;
  if (length < BY_LENGTH.length) {
    const known = BY_LENGTH[length]!;
    for (let index = 0; index < known.length; index++) {
      const candidate = known[index]!;
      if (candidate.bytes[0] === first && startsWith(bytes, start, candidate.bytes)) return candidate.id;
    }
  }
  if (first === 115 && length > 9 && startsWith(bytes, start, STRANGLER)) return FIELD.strangler;
  if (first === 120 && length > 11 && startsWith(bytes, start, X_FORWARDED)) return FIELD.forwardedOther;
  return FIELD.other;
}

function startsWith(bytes: Buffer, start: number, name: Uint8Array): boolean {
  for (let index = 1; index < name.length; index++)
    if (TOKEN[bytes[start + index]!] !== name[index]) return false;
  return true;
}
