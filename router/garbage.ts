import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of bodies after which the young generation is collected. */
const EVERY = 4 * 2 ** 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;
setFlagsFromString('--no-expose-gc');

let read = 0;

/**
 * Notes bytes of a body that were read into memory of their own. Node reads a client's bytes into new memory each time, and V8 leaves dead buffers
 * alone until some 64 MB of them have gathered: a long upload would seem to need that much. Collecting the young ones takes a millisecond or less.
 */
export function noteGarbage(bytes: number): void {
  read += bytes;
  if (read < EVERY) return;
  read = 0;
  collect({ type: 'minor' });
}
