import { FAULT } from './faults.ts';
import { FieldLines, readFields } from './fields.ts';
import { FIELD } from './names.ts';
import { CR, FIELD_VALUE, HEX, LF } from './octets.ts';

/** Takes the bytes that go on, as ranges of what came in (or of a buffer of the decoder's own). */
export interface ByteSink {
  bytes(buffer: Buffer, from: number, to: number): void;
}

export interface ChunkedOptions {
  /** Pass the chunk framing on, or the data alone (for a peer that speaks HTTP/1.0). */
  readonly framed: boolean;
  /** Longest body, in bytes of data. */
  readonly maxBody: number;
  /** Longest trailer section, and longest chunk extension of one chunk, in bytes. */
  readonly maxTrailer: number;
}

const STATE = {
  size: 0,
  firstDigit: 1,
  extension: 2,
  sizeLf: 3,
  data: 4,
  dataCr: 5,
  dataLf: 6,
  trailer: 7,
  done: 8,
} as const;

/** Digits of a chunk size: 48 bits are far more than any body. */
const MAX_DIGITS = 12;

/**
 * A chunked body on its way through (RFC 9112 section 7.1), in whatever pieces it comes. It is checked byte by byte and goes on in its own
 * chunks, so data is never copied; chunk extensions are dropped, as they belong to one hop and no two parsers agree on them; the trailer
 * section is held back until it is whole, for its lines are checked like header lines and those of the hop are dropped.
 */
export class ChunkedBody {
  /** Bytes of data so far. */
  total = 0;
  #state: number = STATE.firstDigit;
  #size = 0;
  #digits = 0;
  #extension = 0;
  #trailer: Buffer | null = null;
  readonly #options: ChunkedOptions;

  constructor(options: ChunkedOptions) {
    this.#options = options;
  }

  get isDone(): boolean {
    return this.#state === STATE.done;
  }

  /** Takes `buffer[from, to)`. Returns the position behind what belongs to the body (below `to` only when it is done), or a fault. */
  push(buffer: Buffer, from: number, to: number, sink: ByteSink): number {
    const { framed, maxBody, maxTrailer } = this.#options;
    // [kept, at) is what goes on and has not been handed over yet.
    let kept = from;
    let at = from;
    while (at < to) {
      const byte = buffer[at]!;
      switch (this.#state) {
        case STATE.firstDigit:
        case STATE.size: {
          const digit = HEX[byte]!;
          if (digit !== 0) {
            if (++this.#digits > MAX_DIGITS) return FAULT.CHUNK;
            this.#size = this.#size * 16 + digit - 1;
            this.#state = STATE.size;
          } else if (this.#state === STATE.firstDigit) return FAULT.CHUNK;
          else if (byte === CR) this.#state = STATE.sizeLf;
          else if (byte !== 59) return FAULT.CHUNK;
          else {
            if (framed && at > kept) sink.bytes(buffer, kept, at);
            this.#extension = 0;
            this.#state = STATE.extension;
          }
          at++;
          break;
        }
        case STATE.extension:
          if (byte === CR) {
            kept = at;
            this.#state = STATE.sizeLf;
          } else if (FIELD_VALUE[byte] === 0 || ++this.#extension > maxTrailer) return FAULT.CHUNK_EXTENSION;
          at++;
          break;
        case STATE.sizeLf:
          if (byte !== LF) return FAULT.CHUNK;
          at++;
          this.#digits = 0;
          this.total += this.#size;
          if (this.total > maxBody) return FAULT.BODY_TOO_LARGE;
          this.#state = this.#size === 0 ? STATE.trailer : STATE.data;
          if (!framed) kept = at;
          break;
        case STATE.data: {
          const take = Math.min(this.#size, to - at);
          at += take;
          this.#size -= take;
          if (this.#size === 0) {
            this.#state = STATE.dataCr;
            if (!framed) sink.bytes(buffer, kept, at);
          }
          break;
        }
        case STATE.dataCr:
          if (byte !== CR) return FAULT.CHUNK;
          at++;
          this.#state = STATE.dataLf;
          break;
        case STATE.dataLf:
          if (byte !== LF) return FAULT.CHUNK;
          at++;
          this.#state = STATE.firstDigit;
          if (!framed) kept = at;
          break;
        case STATE.trailer: {
          if (this.#trailer === null && to - at >= 2 && byte === CR && buffer[at + 1] === LF) {
            this.#state = STATE.done;
            if (framed) sink.bytes(buffer, kept, at + 2);
            return at + 2;
          }
          if (framed && at > kept) sink.bytes(buffer, kept, at);
          return this.#trailers(buffer, at, to, sink);
        }
        default:
          return at;
      }
    }
    const isPassing = framed ? this.#state !== STATE.extension : this.#state === STATE.data;
    if (isPassing && at > kept) sink.bytes(buffer, kept, at);
    return at;
  }

  #trailers(buffer: Buffer, from: number, to: number, sink: ByteSink): number {
    const held = this.#trailer?.length ?? 0;
    const all =
      held === 0 ? buffer.subarray(from, to) : Buffer.concat([this.#trailer!, buffer.subarray(from, to)]);
    const fields = new FieldLines();
    const end = readFields(all, 0, all.length, fields);
    if (end < 0) return FAULT.TRAILER;
    if ((end === 0 ? all.length : end) > this.#options.maxTrailer) return FAULT.TRAILER;
    if (end === 0) {
      this.#trailer = Buffer.from(all);
      return to;
    }
    this.#state = STATE.done;
    this.#trailer = null;
    if (this.#options.framed) {
      for (let index = 0; index < fields.count; index++) {
        if (mayTrail(fields.ids[index]!)) sink.bytes(all, fields.start(index), fields.lineEnd(index));
      }
      sink.bytes(all, end - 2, end);
    }
    return from + end - held;
  }
}

/** A trailer must not change framing, routing or what a hop has decided (RFC 9110 section 6.5.1). */
function mayTrail(id: number): boolean {
  return id === FIELD.other || id === FIELD.serverTiming;
}
