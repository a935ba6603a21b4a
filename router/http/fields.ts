import { FAULT } from './faults.ts';
import { latin1 } from './latin1.ts';
import { fieldId } from './names.ts';
import { CR, FIELD_VALUE, HTAB, LF, SP, TOKEN, equalsIgnoringCase } from './octets.ts';

/** Most header lines a message may have. */
export const MAX_FIELDS = 128;

const STRIDE = 4;

/**
 * Where the header lines of one message stand in its bytes. Positions, not strings: what passes unchanged is copied as bytes, and only
 * what is asked for becomes a string.
 */
export class FieldLines {
  count = 0;
  /** Behind the CRLF of the last line: where the empty line stands. */
  end = 0;
  /** Numbers of names.ts, by line. */
  readonly ids = new Uint8Array(MAX_FIELDS);
  /** 1 for a line that Connection names, and that therefore belongs to this hop only. */
  readonly nominated = new Uint8Array(MAX_FIELDS);
  readonly #at = new Int32Array(MAX_FIELDS * STRIDE);

  add(start: number, nameEnd: number, valueStart: number, valueEnd: number, id: number): void {
    const base = this.count * STRIDE;
    this.#at[base] = start;
    this.#at[base + 1] = nameEnd;
    this.#at[base + 2] = valueStart;
    this.#at[base + 3] = valueEnd;
    this.ids[this.count] = id;
    this.nominated[this.count++] = 0;
  }

  start(index: number): number {
    return this.#at[index * STRIDE]!;
  }
  nameEnd(index: number): number {
    return this.#at[index * STRIDE + 1]!;
  }
  valueStart(index: number): number {
    return this.#at[index * STRIDE + 2]!;
  }
  valueEnd(index: number): number {
    return this.#at[index * STRIDE + 3]!;
  }
  /** Behind the line's CRLF. */
  lineEnd(index: number): number {
    return index + 1 < this.count ? this.#at[(index + 1) * STRIDE]! : this.end;
  }
  value(bytes: Buffer, index: number): string {
    return latin1(bytes, this.valueStart(index), this.valueEnd(index));
  }
  /** Line of the first field of that number, or -1. */
  find(id: number): number {
    for (let index = 0; index < this.count; index++) if (this.ids[index] === id) return index;
    return -1;
  }
  /** True when the line's name is `name` (lower-case). */
  isNamed(bytes: Buffer, index: number, name: string): boolean {
    return equalsIgnoringCase(bytes, this.start(index), this.nameEnd(index), name);
  }
}

/**
 * Reads header lines up to and with the empty line (RFC 9112 section 5), in one pass. Returns the position behind it, 0 when the bytes end
 * before that, or the number of a fault. Nothing is repaired: the lenient readings of section 2.2 and 5.2 are what smuggling lives on.
 */
export function readFields(bytes: Buffer, from: number, to: number, fields: FieldLines): number {
  fields.count = 0;
  let at = from;
  for (;;) {
    if (at >= to) return 0;
    const start = at;
    let byte = bytes[at]!;
    if (byte === CR) {
      if (at + 1 >= to) return 0;
      fields.end = at;
      return bytes[at + 1] === LF ? at + 2 : FAULT.BARE_CR;
    }
    while (TOKEN[byte] !== 0) {
      if (++at >= to) return 0;
      byte = bytes[at]!;
    }
    if (byte !== 58 || at === start) return nameFault(byte, at === start);
    const nameEnd = at;
    do {
      if (++at >= to) return 0;
      byte = bytes[at]!;
    } while (byte === SP || byte === HTAB);
    const valueStart = at;
    while (FIELD_VALUE[byte] !== 0) {
      if (++at >= to) return 0;
      byte = bytes[at]!;
    }
    if (byte !== CR) return byte === LF ? FAULT.BARE_LF : FAULT.FIELD_VALUE;
    if (at + 1 >= to) return 0;
    if (bytes[at + 1] !== LF) return FAULT.BARE_CR;
    let valueEnd = at;
    while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
    if (fields.count === MAX_FIELDS) return FAULT.TOO_MANY_FIELDS;
    fields.add(start, nameEnd, valueStart, valueEnd, fieldId(bytes, start, nameEnd));
    at += 2;
  }
}

function nameFault(byte: number, isFirst: boolean): number {
  if (byte === LF) return FAULT.BARE_LF;
  if (byte === CR) return FAULT.FIELD_NAME;
  if (byte === SP || byte === HTAB) return isFirst ? FAULT.OBS_FOLD : FAULT.SPACE_BEFORE_COLON;
  return FAULT.FIELD_NAME;
}
