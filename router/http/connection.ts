import { FAULT } from './faults.ts';
import type { FieldLines } from './fields.ts';
import { latin1 } from './latin1.ts';
import { FIELD, NOT_NOMINABLE } from './names.ts';
import { TOKEN } from './octets.ts';

/** What the Connection lines of a message say (RFC 9110 section 7.6.1), as bits. */
export const CONNECTION = { close: 1, keepAlive: 2, upgrade: 4 } as const;

/** Options beyond the known ones that a message may name; each costs a look at every line. */
const MAX_NOMINATED = 16;

/**
 * Reads all Connection lines and marks the lines they name: those belong to this hop. Returns bits of CONNECTION, or the number of a fault,
 * for naming what a message can't do without (Host, Content-Length, Transfer-Encoding) is an attack or a defect, and both readings differ.
 */
export function readConnection(bytes: Buffer, fields: FieldLines): number {
  let bits = 0;
  let nominated = 0;
  for (let index = 0; index < fields.count; index++) {
    if (fields.ids[index] !== FIELD.connection) continue;
    let at = fields.valueStart(index);
    const end = fields.valueEnd(index);
    while (at < end) {
      let byte = bytes[at]!;
      if (byte === 44 || byte === 32 || byte === 9) {
        at++;
        continue;
      }
      const start = at;
      while (at < end && TOKEN[(byte = bytes[at]!)] !== 0) at++;
      if (at === start) return FAULT.CONNECTION;
      const option = latin1(bytes, start, at).toLowerCase();
      while (at < end && ((byte = bytes[at]!) === 32 || byte === 9)) at++;
      if (at < end && bytes[at] !== 44) return FAULT.CONNECTION;
      if (option === 'keep-alive') bits |= CONNECTION.keepAlive;
      else if (option === 'close') bits |= CONNECTION.close;
      else if (option === 'upgrade') bits |= CONNECTION.upgrade;
      else if (++nominated > MAX_NOMINATED || !nominate(bytes, fields, option)) return FAULT.CONNECTION;
    }
  }
  return bits;
}

function nominate(bytes: Buffer, fields: FieldLines, name: string): boolean {
  for (let index = 0; index < fields.count; index++) {
    if (!fields.isNamed(bytes, index, name)) continue;
    if (NOT_NOMINABLE[fields.ids[index]!]) return false;
    fields.nominated[index] = 1;
  }
  return true;
}
