/**
 * Buffer's own latin1 routines, which Node has always had but does not type. `toString('latin1')` and `write(…, 'latin1')` end in the
 * same place after checking their arguments, which costs more than the copying when the strings are as short as in a head.
 */
interface Latin1 {
  latin1Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number): number;
}

/** Text of a range of bytes, one character a byte. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1).latin1Slice(start, end);
}

/** Writes text, one byte a character; returns the offset behind it. */
export function writeLatin1(bytes: Buffer, text: string, offset: number): number {
  return offset + (bytes as unknown as Latin1).latin1Write(text, offset);
}
