import { CONNECTION, readConnection } from './connection.ts';
import { FAULT } from './faults.ts';
import { FieldLines, readFields } from './fields.ts';
import { readFraming } from './framing.ts';
import { latin1 } from './latin1.ts';
import { FIELD } from './names.ts';
import { CR, FIELD_VALUE, LF } from './octets.ts';

/** The head of an upstream's answer; the same pass, and the same strictness, as for a request. */
export class AnswerHead {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  /** Behind the status line. */
  lineEnd = 0;
  /** Behind the empty line. */
  end = 0;
  minor = 1;
  status = 0;
  /** As the header says; what `bodyOf` says counts. */
  length = -1;
  chunked = false;
  /** The upstream will take another request on this connection. */
  keepAlive = true;
  readonly fields = new FieldLines();
}

/** Reads `bytes[from, to)`. Returns the position behind the head, 0 when it is not complete, or the number of a fault. */
export function readAnswer(bytes: Buffer, from: number, to: number, head: AnswerHead): number {
  const available = to - from;
  const start = latin1(bytes, from, Math.min(from + 13, to));
  if (!/^HTTP\/1\.[01] [1-9]\d\d[ \r]/.test(start)) {
    const isPrefix =
      available < 13 &&
      'HTTP/1.'.startsWith(start.slice(0, 7)) &&
      /^[01]?(?: [1-9]?\d{0,2})?[ \r]?$/.test(start.slice(7));
    return isPrefix ? 0 : FAULT.STATUS_LINE;
  }
  let at = from + 12;
  while (at < to && FIELD_VALUE[bytes[at]!] !== 0) at++;
  if (at + 1 >= to) return 0;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) return FAULT.STATUS_LINE;
  const end = readFields(bytes, at + 2, to, head.fields);
  if (end <= 0) return end;
  head.bytes = bytes;
  head.start = from;
  head.lineEnd = at + 2;
  head.end = end;
  head.minor = bytes[from + 7]! - 48;
  head.status = (bytes[from + 9]! - 48) * 100 + (bytes[from + 10]! - 48) * 10 + (bytes[from + 11]! - 48);
  const framing = readFraming(bytes, head.fields, head.minor, head);
  if (framing < 0) return framing;
  const bits = head.fields.find(FIELD.connection) === -1 ? 0 : readConnection(bytes, head.fields);
  if (bits < 0) return bits;
  head.keepAlive = head.minor === 1 ? (bits & CONNECTION.close) === 0 : (bits & CONNECTION.keepAlive) !== 0;
  return end;
}

/** How the body of an answer ends (RFC 9112 section 6.3). */
export const BODY = { none: 0, length: 1, chunked: 2, untilClose: 3 } as const;

/** Which of BODY it is: depends on the request's method too. */
export function bodyOf(head: AnswerHead, method: string): number {
  if (method === 'HEAD' || head.status === 204 || head.status === 304 || head.status < 200) return BODY.none;
  if (head.chunked) return BODY.chunked;
  if (head.length === -1) return BODY.untilClose;
  return head.length === 0 ? BODY.none : BODY.length;
}

/** Value of the one field of that name (lower-case, `strangler-…`); null when there is none, or more than one. */
export function fieldOf({ bytes, fields }: AnswerHead, name: string): string | null {
  let value: string | null = null;
  for (let index = 0; index < fields.count; index++) {
    if (fields.ids[index] !== FIELD.strangler || !fields.isNamed(bytes, index, name)) continue;
    if (value !== null) return null;
    value = fields.value(bytes, index);
  }
  return value;
}

/** True when the answer is a page and no shared cache may keep it (RFC 9111 section 5.2.2): the only kind that may carry a cookie of ours. */
export function isPrivatePage(head: AnswerHead): boolean {
  const { bytes, fields } = head;
  const type = fields.find(FIELD.contentType);
  if (type === -1 || !/^text\/html\s*(?:;|$)/i.test(fields.value(bytes, type))) return false;
  let isPrivate = false;
  for (let index = 0; index < fields.count; index++) {
    if (fields.ids[index] !== FIELD.cacheControl) continue;
    for (const directive of fields.value(bytes, index).toLowerCase().split(',')) {
      const name = directive.trim();
      if (name === 'private' || name === 'no-store') isPrivate = true;
      if (name === 'public' || name.startsWith('s-maxage')) return false;
    }
  }
  return isPrivate;
}
