import { latin1 } from '../http/latin1.ts';
import { SCRATCH } from '../http/outgoing.ts';

/** Name and value of one header line. */
export type HeadLine = readonly [name: string, value: string];

/** A head as bytes, put together from what Node has already taken apart: `raw` is `rawHeaders`. */
export function headBytes(startLine: string, raw: readonly string[]): Buffer {
  let text = `${startLine}\r\n`;
  for (let index = 0; index + 1 < raw.length; index += 2) text += `${raw[index]}: ${raw[index + 1]}\r\n`;
  return Buffer.from(`${text}\r\n`, 'latin1');
}

/** The lines of the head of `length` bytes that http/outgoing.ts has just written. */
export function scratchLines(length: number): HeadLine[] {
  const lines = latin1(SCRATCH, 0, length).split('\r\n').slice(1, -2);
  return lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}
