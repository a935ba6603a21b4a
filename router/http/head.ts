import { CONNECTION, readConnection } from './connection.ts';
import { FAULT } from './faults.ts';
import { FieldLines, readFields } from './fields.ts';
import { readFraming } from './framing.ts';
import { latin1 } from './latin1.ts';
import { FIELD } from './names.ts';
import { CR, LF, SP, TARGET, TOKEN, equalsIgnoringCase } from './octets.ts';

/**
 * The head of a request, read in one pass over its bytes.
 *
 * Why not Node's parser: it hands every header over as a pair of strings in an object, the proxy walks over them, and the second half of
 * Node writes them out again. Two thirds of a proxy's time go there. Here a head stays what it is, a range of bytes; the pass notes where
 * each line starts and which of the two dozen fields that concern a hop it is. Forwarding copies the ranges between dropped lines.
 *
 * Why so strict: a proxy and a server that read one byte stream differently are the whole of request smuggling. Each rule below is one
 * that lenient servers disagree on, so whatever leans on leniency is refused (RFC 9112 sections 2.2, 3, 5, 6 and 11.2) and the connection
 * closed, for where the next message starts is then unknown. A refusal costs a broken client an error; a repair could cost another
 * client's session.
 *
 * What is left to the caller: whether the head is complete (0 is returned when it is not) and its size.
 */
export class ReceivedHead {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  /** Behind the empty line: where the body starts. */
  end = 0;
  method = '';
  targetStart = 0;
  targetEnd = 0;
  /** Minor version: HTTP/1.minor. */
  minor = 1;
  /** Bytes of the body when Content-Length says so; -1: no Content-Length. */
  length = -1;
  chunked = false;
  /** The connection may be used for another request afterwards. */
  keepAlive = true;
  /** Expect: 100-continue. */
  expectsContinue = false;
  /** A complete WebSocket handshake (RFC 6455 section 4.1); any other Upgrade is ignored. */
  isWebSocket = false;
  /** Line of Host; -1 in an HTTP/1.0 request that has none. */
  hostLine = -1;
  readonly fields = new FieldLines();
}

/** Reads `bytes[from, to)`. Returns the position behind the head, 0 when it is not complete, or the number of a fault. */
export function readHead(bytes: Buffer, from: number, to: number, head: ReceivedHead): number {
  let at = from;
  // One empty line before a request is skipped (RFC 9112 section 2.2): old clients send it behind a body.
  if (bytes[at] === CR) {
    if (at + 1 >= to) return 0;
    if (bytes[at + 1] !== LF) return FAULT.BARE_CR;
    at += 2;
  }
  head.start = at;
  let byte = 0;
  while (at < to && TOKEN[(byte = bytes[at]!)] !== 0) at++;
  if (at >= to) return at - head.start > 64 ? FAULT.REQUEST_LINE : 0;
  if (byte !== SP || at === head.start) return byte === LF ? FAULT.BARE_LF : FAULT.REQUEST_LINE;
  head.method = methodOf(bytes, head.start, at);
  head.targetStart = ++at;
  while (at < to && TARGET[(byte = bytes[at]!)] !== 0) at++;
  if (at >= to) return 0;
  if (byte !== SP || at === head.targetStart) return lineFault(byte);
  head.targetEnd = at;
  const version = latin1(bytes, at + 1, Math.min(at + 11, to));
  if (version !== 'HTTP/1.1\r\n' && version !== 'HTTP/1.0\r\n') return versionFault(version);
  head.minor = version.charCodeAt(7) - 48;
  const end = readFields(bytes, at + 11, to, head.fields);
  if (end <= 0) return end;
  head.bytes = bytes;
  head.end = end;
  return judge(head) || end;
}

function lineFault(byte: number): number {
  if (byte === 0x23) return FAULT.FRAGMENT;
  if (byte === LF) return FAULT.BARE_LF;
  return byte === SP || byte === CR ? FAULT.REQUEST_LINE : FAULT.TARGET;
}

/** What is there of a version so far must fit, so that garbage is refused before a time-out does it. */
function versionFault(version: string): number {
  if (version.length < 10 && /^(?:H|HT|HTT|HTTP|HTTP\/|HTTP\/\d\.?|HTTP\/\d\.\d\r?)?$/.test(version))
    return 0;
  if (/^HTTP\/\d\.\d\r\n$/.test(version)) return FAULT.VERSION;
  return /^HTTP\/\d\.\d\n/.test(version) ? FAULT.BARE_LF : FAULT.REQUEST_LINE;
}

/** The common methods without making a string. */
function methodOf(bytes: Buffer, start: number, end: number): string {
  if (end - start === 3 && bytes[start] === 71 && bytes[start + 1] === 69 && bytes[start + 2] === 84)
    return 'GET';
  return latin1(bytes, start, end);
}

/** What the lines mean together. Returns 0 or the number of a fault. */
function judge(head: ReceivedHead): number {
  const { bytes, fields } = head;
  head.hostLine = -1;
  head.expectsContinue = false;
  head.isWebSocket = false;
  let upgrade = -1;
  let hasConnection = false;
  for (let index = 0; index < fields.count; index++) {
    switch (fields.ids[index]) {
      case FIELD.host:
        if (head.hostLine !== -1) return FAULT.HOST;
        head.hostLine = index;
        break;
      case FIELD.expect:
        if (!equalsIgnoringCase(bytes, fields.valueStart(index), fields.valueEnd(index), '100-continue'))
          return FAULT.EXPECTATION;
        // An HTTP/1.0 client can't wait for it (RFC 9110 section 10.1.1).
        head.expectsContinue = head.minor === 1;
        break;
      case FIELD.connection:
        hasConnection = true;
        break;
      case FIELD.upgrade:
        upgrade = index;
        break;
    }
  }
  const framing = readFraming(bytes, fields, head.minor, head);
  if (framing < 0) return framing;
  if (head.hostLine === -1 && head.minor === 1) return FAULT.HOST;
  const bits = hasConnection ? readConnection(bytes, fields) : 0;
  if (bits < 0) return bits;
  head.keepAlive =
    head.minor === 1
      ? (bits & CONNECTION.close) === 0
      : (bits & (CONNECTION.keepAlive | CONNECTION.close)) === CONNECTION.keepAlive;
  if (head.method === 'CONNECT' || head.method === 'TRACE') return FAULT.METHOD;
  if (
    upgrade !== -1 &&
    (bits & CONNECTION.upgrade) !== 0 &&
    head.method === 'GET' &&
    head.minor === 1 &&
    !head.chunked &&
    head.length < 1
  ) {
    head.isWebSocket = equalsIgnoringCase(
      bytes,
      fields.valueStart(upgrade),
      fields.valueEnd(upgrade),
      'websocket',
    );
  }
  return 0;
}

/** True when a head can't be complete yet: without a line's end in the newest piece it is no more complete than it was. */
export function cannotEnd(bytes: Buffer, newest: Buffer, longest: number): boolean {
  return (
    bytes.length > 512 && bytes.length <= longest && newest.length < bytes.length && !newest.includes(10)
  );
}
