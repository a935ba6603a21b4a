import { ReceivedHead } from '../http/head.ts';

/** Heads of finished requests, used again, so that an idle connection holds none: a head has room for many lines. */
const SPARE: ReceivedHead[] = [];
const MAX_SPARE = 1024;

export function takeHead(): ReceivedHead {
  return SPARE.pop() ?? new ReceivedHead();
}

/** Nobody may look at it afterwards. */
export function spareHead(head: ReceivedHead): void {
  head.bytes = EMPTY;
  if (SPARE.length < MAX_SPARE) SPARE.push(head);
}

const EMPTY = Buffer.alloc(0);
