/** Marks that are remembered. A photograph has a few dozen, most of them in its thumbnail. */
const MOST = 1000;

/**
 * Where in a JPEG coded data would end: at a marker that is neither a stuffed zero nor a restart (ITU-T T.81, B.1.1.5), or what looks like one within a segment. Found as the bytes come, so
 * that nobody has to read megabytes of pixels back for the sake of their end.
 */
export class JpegMarks {
  readonly #offsets: number[] = [];
  #size = 0;
  /** It begins with a marker, as each JPEG does (B.2.1). */
  #isJpeg: boolean | null = null;
  /** Whether the last byte may be the first of a marker. */
  #isHalf = false;

  /** The next bytes of the file. */
  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#isJpeg ??= bytes[0] === 0xff;
    if (!this.#isJpeg || this.#offsets.length === MOST) return;
    if (this.#isHalf && ends(bytes[0]!)) this.#found(this.#size - 1);
    let at = bytes.indexOf(0xff);
    for (; at !== -1 && at + 1 < bytes.length; at = bytes.indexOf(0xff, at + 1))
      if (ends(bytes[at + 1]!)) this.#found(this.#size + at);
    this.#isHalf = at !== -1;
    this.#size += bytes.length;
  }

  /** The first that is remembered at `offset` or after it. Where there is none, one may be in the file all the same: only so many are remembered. */
  from(offset: number): number | undefined {
    return this.#offsets.find((each) => each >= offset);
  }

  #found(offset: number): void {
    if (this.#offsets.length < MOST) this.#offsets.push(offset);
  }
}

/** Second byte of what coded data ends at; of two 0xff the first only fills. */
export function ends(marker: number): boolean {
  return marker !== 0 && marker !== 0xff && (marker < 0xd0 || marker > 0xd7);
}
