/** Bytes that a walk has in memory at the most, whatever the size of the file. */
export const WINDOW = 1_048_576;
/** Bytes that are read where fewer are asked for: the next will be asked for soon, mostly, and are still in the core's cache then. */
const AHEAD = 65_536;

/** Bytes of a file at any place, read ahead: a walk that goes forward reads hardly any twice, and what it leaps over not at all. */
export interface BytesOf {
  /** Bytes in the file. */
  readonly size: number;
  /** From `offset` up to `length` bytes; fewer where the file ends. Good until the next call. `length` is at most a window, 1 MiB. */
  at(offset: number, length: number): Buffer;
}

/** Reads up to `length` bytes of a file at `position` into `window` at `offset`; returns how many. */
export type ReadAt = (window: Buffer, offset: number, length: number, position: number) => number;

/** `window`: memory of that many bytes, where there is some already. */
export function bytesOf(
  readAt: ReadAt,
  size: number,
  window = Buffer.allocUnsafe(Math.min(WINDOW, size)),
): BytesOf {
  let start = 0;
  let filled = 0;
  return {
    size,
    at(offset, length) {
      const wanted = Math.max(0, Math.min(length, WINDOW, size - offset));
      if (offset < start || offset + wanted > start + filled) {
        start = offset;
        filled = 0;
        // Who asks for much asks for as much again from a few bytes on: that must not be read anew each time.
        const most = wanted > AHEAD ? window.length : Math.min(window.length, AHEAD);
        while (filled < wanted) {
          const count = readAt(window, filled, most - filled, start + filled);
          if (count === 0) break;
          filled += count;
        }
      }
      return window.subarray(offset - start, Math.min(offset - start + wanted, filled));
    },
  };
}
