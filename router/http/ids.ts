import { randomFillSync } from 'node:crypto';
import type { ReceivedHead } from './head.ts';
import { FIELD } from './names.ts';

/** Fills a buffer with random bytes; tests hand in their own. */
export type Randomness = (buffer: Buffer) => void;

interface Hex {
  hexSlice(start: number, end: number): string;
}

/** Random hexadecimal texts, cut from one pool, because a call for random bytes costs as much as the rest of a request's ids. */
export function createIds(
  fill: Randomness = (buffer) => void randomFillSync(buffer),
): (bytes: number) => string {
  const pool = Buffer.allocUnsafeSlow(6144);
  let at = pool.length;
  return (bytes) => {
    if (at + bytes > pool.length) {
      fill(pool);
      at = 0;
    }
    at += bytes;
    return (pool as unknown as Hex).hexSlice(at - bytes, at);
  };
}

/** What a request is called, and the lines that are added to tell the upstream. */
export interface RequestIds {
  readonly requestId: string;
  /** Lines to add: X-Request-Id and traceparent, each unless the client sent a valid one. */
  readonly lines: string;
  /** The client's own lines are valid and stay. */
  readonly keepsRequestId: boolean;
  readonly keepsTrace: boolean;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** Keeps valid ids of the client, makes the missing ones (W3C Trace Context section 3.2; an invalid trace starts anew). */
export function requestIds(head: ReceivedHead, newId: (bytes: number) => string): RequestIds {
  const own = only(head, FIELD.requestId);
  const requestId = own !== null && /^[\w.:/+=@-]{1,128}$/.test(own) ? own : null;
  const trace = only(head, FIELD.traceparent);
  const keepsTrace = trace !== null && TRACEPARENT.test(trace);
  const id = requestId ?? newId(16);
  const traceLine = keepsTrace
    ? ''
    : `traceparent: 00-${requestId === null ? id : newId(16)}-${newId(8)}-01\r\n`;
  const idLine = requestId === null ? `X-Request-Id: ${id}\r\n` : '';
  return { requestId: id, lines: traceLine + idLine, keepsRequestId: requestId !== null, keepsTrace };
}

/** Value of a field that stands once; null when it is absent, repeated or named in Connection. */
function only(head: ReceivedHead, id: number): string | null {
  let found = -1;
  for (let index = 0; index < head.fields.count; index++) {
    if (head.fields.ids[index] !== id) continue;
    if (found !== -1) return null;
    found = index;
  }
  return found === -1 || head.fields.nominated[found] === 1 ? null : head.fields.value(head.bytes, found);
}
