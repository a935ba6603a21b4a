import { FAULT } from './faults.ts';
import type { FieldLines } from './fields.ts';
import { FIELD } from './names.ts';
import { equalsIgnoringCase } from './octets.ts';

/**
 * Where a body ends. The rules of RFC 9112 section 6.3, with every "ought to be handled as an error" taken at its word: a message that two
 * servers could cut at different places is not forwarded at all.
 */
export interface Framing {
  /** Bytes of the body; -1 when no length is given. */
  length: number;
  chunked: boolean;
}

/** Reads Content-Length and Transfer-Encoding into `into`. Returns 0, or the number of a fault. */
export function readFraming(bytes: Buffer, fields: FieldLines, minor: number, into: Framing): number {
  into.length = -1;
  into.chunked = false;
  for (let index = 0; index < fields.count; index++) {
    const id = fields.ids[index];
    if (id === FIELD.contentLength) {
      if (into.length !== -1) return FAULT.CONTENT_LENGTH;
      into.length = decimal(bytes, fields.valueStart(index), fields.valueEnd(index));
      if (into.length === -1) return FAULT.CONTENT_LENGTH;
    } else if (id === FIELD.transferEncoding) {
      const isChunked = equalsIgnoringCase(
        bytes,
        fields.valueStart(index),
        fields.valueEnd(index),
        'chunked',
      );
      if (into.chunked || !isChunked || minor === 0) return FAULT.TRANSFER_ENCODING;
      into.chunked = true;
    }
  }
  return into.chunked && into.length !== -1 ? FAULT.FRAMING_CONFLICT : 0;
}

/** 1*DIGIT below 2^53, without the leading zero that some read as octal; else -1. */
function decimal(bytes: Buffer, start: number, end: number): number {
  const digits = end - start;
  if (digits === 0 || digits > 15 || (digits > 1 && bytes[start] === 48)) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
