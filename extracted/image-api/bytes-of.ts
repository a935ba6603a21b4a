/** Bytes read at a time: what a walk has in memory, whatever the size of the file. */
export const WINDOW = 1_048_576;

/** Bytes of a file at any place, read in windows: a walk that goes forward reads each byte once. */
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
        while (filled < wanted) {
          const count = readAt(window, filled, window.length - filled, start + filled);
          if (count === 0) break;
          filled += count;
        }
      }
      return window.subarray(offset - start, Math.min(offset - start + wanted, filled));
    },
  };
}
