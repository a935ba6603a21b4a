/** Why a message is not accepted. The codec answers with the negative number; the table says what the client is told. */
interface Fault {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

export const FAULT = {
  REQUEST_LINE: -1,
  BARE_LF: -2,
  BARE_CR: -3,
  OBS_FOLD: -4,
  FIELD_NAME: -5,
  SPACE_BEFORE_COLON: -6,
  FIELD_VALUE: -7,
  HEAD_TOO_LARGE: -8,
  TOO_MANY_FIELDS: -9,
  VERSION: -10,
  METHOD: -11,
  TARGET: -12,
  FRAGMENT: -13,
  HOST: -14,
  CONTENT_LENGTH: -15,
  TRANSFER_ENCODING: -16,
  FRAMING_CONFLICT: -17,
  CONNECTION: -18,
  EXPECTATION: -19,
  CHUNK: -20,
  CHUNK_EXTENSION: -21,
  TRAILER: -22,
  BODY_TOO_LARGE: -23,
  STATUS_LINE: -24,
  TARGET_AMBIGUOUS: -25,
} as const;

const bad = (code: string, detail: string): Fault => ({ status: 400, code, detail });

/** In the order of the numbers above. RFC numbers say which rule is broken. */
const TABLE: readonly Fault[] = [
  bad(
    'REQUEST_LINE',
    'the request line is not "method target version" with single spaces (RFC 9112 section 3)',
  ),
  bad('BARE_LF', 'a line ends in LF without CR (RFC 9112 section 2.2)'),
  bad('BARE_CR', 'a CR stands without LF (RFC 9112 section 2.2)'),
  bad('OBS_FOLD', 'a header line starts with white space (RFC 9112 section 5.2)'),
  bad('FIELD_NAME', 'a header name is not a token (RFC 9110 section 5.1)'),
  bad(
    'SPACE_BEFORE_COLON',
    'there is white space between a header name and its colon (RFC 9112 section 5.1)',
  ),
  bad('FIELD_VALUE', 'a header value holds a control character (RFC 9110 section 5.5)'),
  { status: 431, code: 'HEAD_TOO_LARGE', detail: 'the request head is larger than this server takes' },
  {
    status: 431,
    code: 'TOO_MANY_FIELDS',
    detail: 'the request has more header lines than this server takes',
  },
  { status: 505, code: 'VERSION', detail: 'this server speaks HTTP/1.1 and HTTP/1.0' },
  { status: 405, code: 'METHOD', detail: 'this method is never forwarded' },
  bad('TARGET', 'the request target has none of the forms of RFC 9112 section 3.2'),
  bad('FRAGMENT', 'a request target has no fragment (RFC 9112 section 3.2)'),
  bad('HOST', 'exactly one valid Host header is needed (RFC 9112 section 3.2)'),
  bad('CONTENT_LENGTH', 'Content-Length is not one decimal number (RFC 9112 section 6.3)'),
  bad(
    'TRANSFER_ENCODING',
    'the only transfer coding taken is one "chunked", in HTTP/1.1 (RFC 9112 section 6.1)',
  ),
  bad(
    'FRAMING_CONFLICT',
    'Content-Length and Transfer-Encoding contradict each other (RFC 9112 section 6.3)',
  ),
  bad(
    'CONNECTION',
    'Connection is no list of tokens, or names a header that every hop needs (RFC 9110 section 7.6.1)',
  ),
  {
    status: 417,
    code: 'EXPECTATION',
    detail: 'the only expectation met is 100-continue (RFC 9110 section 10.1.1)',
  },
  bad('CHUNK', 'the chunked body is malformed (RFC 9112 section 7.1)'),
  bad('CHUNK_EXTENSION', 'the chunk extensions are malformed or longer than this server takes'),
  bad('TRAILER', 'the trailer section is malformed or longer than this server takes'),
  { status: 413, code: 'BODY_TOO_LARGE', detail: 'the body is longer than this route takes' },
  bad('STATUS_LINE', 'the status line is malformed (RFC 9112 section 4)'),
  bad('TARGET_AMBIGUOUS', 'the path can be read in more ways than can be looked at'),
];

/** What a fault number means. */
export function faultOf(number: number): Fault {
  return TABLE[-number - 1]!;
}
