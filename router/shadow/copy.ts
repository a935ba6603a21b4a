import { ChunkedBody } from '../http/chunked.ts';

/** Memory that all copies share. */
export class Memory {
  used = 0;
  readonly limit: number;
  constructor(limit: number) {
    this.limit = limit;
  }
  take(bytes: number): boolean {
    if (this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }
  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** A copy of one body, as long as it is short enough and there is memory. What was taken is given back by `free`. */
export class Copy {
  /** Longer than `maxBytes`: nothing of it is kept. */
  isTooLong = false;
  /** There was no memory: nothing of it is kept. */
  isLost = false;
  #isFreed = false;
  #isChunked = false;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #held = 0;
  readonly #maxBytes: number;
  readonly #memory: Memory;

  constructor(maxBytes: number, memory: Memory) {
    this.#maxBytes = maxBytes;
    this.#memory = memory;
  }

  /** Copies `bytes[from, to)`. False when the copy is given up. */
  add(bytes: Uint8Array, from: number, to: number, isChunked = false): boolean {
    if (!this.#hasRoom(to - from, isChunked)) return false;
    this.#pieces.push(Uint8Array.prototype.slice.call(bytes, from, to));
    return true;
  }

  /** Keeps a piece that nobody else writes to. False when the copy is given up. */
  keep(piece: Uint8Array): boolean {
    if (!this.#hasRoom(piece.length, false)) return false;
    this.#pieces.push(piece);
    return true;
  }

  /** So many bytes are announced. False when the copy is given up for that. */
  announce(length: number): boolean {
    if (length > this.#maxBytes) {
      this.isTooLong = true;
      this.free();
    }
    return !this.isTooLong;
  }

  #hasRoom(length: number, isChunked: boolean): boolean {
    if (this.isTooLong || this.isLost || this.#isFreed) return false;
    this.#isChunked ||= isChunked;
    this.#bytes += length;
    // The framing of chunks comes on top: a byte of data costs at most a few more in a body that anybody would send.
    if (this.#bytes > (this.#isChunked ? this.#maxBytes * 2 : this.#maxBytes)) this.isTooLong = true;
    else if (!this.#memory.take(length)) this.isLost = true;
    if (this.isTooLong || this.isLost) {
      this.free();
      return false;
    }
    this.#held += length;
    return true;
  }

  /**
   * The body without the framing of chunks, in memory of its own that can be given to a thread, once; empty when it was given up. What was taken
   * stays taken, for the body goes on to live there.
   */
  whole(): Uint8Array<ArrayBuffer> {
    const joined = join(this.#pieces);
    this.#pieces = [];
    if (!this.#isChunked) return joined;
    const pieces: Uint8Array[] = [];
    const body = new ChunkedBody({ framed: false, maxBody: this.#maxBytes, maxTrailer: 2 ** 16 });
    const end = body.push(Buffer.from(joined.buffer), 0, joined.length, {
      bytes: (buffer, from, to) => void pieces.push(Uint8Array.prototype.slice.call(buffer, from, to)),
    });
    if (end < 0) this.isTooLong = true;
    return end < 0 ? new Uint8Array() : join(pieces);
  }

  free(): void {
    this.#memory.give(this.#held);
    this.#held = 0;
    this.#pieces = [];
    this.#isFreed = true;
  }
}

function join(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
