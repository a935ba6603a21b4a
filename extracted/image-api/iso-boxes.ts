/** A box of a file (ISO/IEC 14496-12 §4.2). */
export interface Box {
  readonly type: string;
  /** What is in it. */
  readonly body: Buffer;
  /** Where its body begins, counted in what it was found in. */
  readonly start: number;
}

/** A file says something that is not followed here; its decoder may know better. */
export class NotFollowed extends Error {}

/** Length of a box's head and of all of it, by its first 16 bytes or what there is of them; `rest`: bytes up to the end of what it is in. */
export function boxSize(head: Buffer, rest: number): { head: number; whole: number; type: string } {
  if (head.length < 8) throw new NotFollowed('half a box');
  const type = head.toString('latin1', 4, 8);
  const size = head.readUInt32BE(0);
  if (size === 0) return { head: 8, whole: rest, type };
  if (size !== 1) {
    if (size < 8) throw new NotFollowed('a box smaller than its head');
    return { head: 8, whole: size, type };
  }
  if (head.length < 16) throw new NotFollowed('half a box');
  const whole = Number(head.readBigUInt64BE(8));
  if (whole < 16) throw new NotFollowed('a box smaller than its head');
  return { head: 16, whole, type };
}

/** The boxes in a box, which must fill it. */
export function boxesIn(bytes: Buffer): Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at < bytes.length;) {
    const { head, whole, type } = boxSize(bytes.subarray(at, at + 16), bytes.length - at);
    if (at + whole > bytes.length) throw new NotFollowed('a box that reaches beyond the one it is in');
    boxes.push({ type, body: bytes.subarray(at + head, at + whole), start: at + head });
    at += whole;
  }
  return boxes;
}

/** The one box of a type, or null; twice is not followed. */
export function only(boxes: readonly Box[], type: string): Box | null {
  const found = boxes.filter((box) => box.type === type);
  if (found.length > 1) throw new NotFollowed(`${type} twice`);
  return found[0] ?? null;
}

/** Reads the fields of a box one after the other; each read throws `NotFollowed` where the box ends. */
export class Fields {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }
  take(length: number): Buffer {
    if (length > this.left) throw new NotFollowed('a box that ends in a field');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
  /** A whole number of 0 to 8 bytes; above 2⁵³ it is near enough to be out of any file. */
  number(length: number): number {
    if (length === 8) return Number(this.take(8).readBigUInt64BE());
    return length === 0 ? 0 : this.take(length).readUIntBE(0, length);
  }
  /** Four characters. */
  code(): string {
    return this.take(4).toString('latin1');
  }
  /** Version and flags of a full box. */
  full(): { version: number; flags: number } {
    return { version: this.number(1), flags: this.number(3) };
  }
}

/** A box of these parts. */
export function box(type: string, ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(parts.reduce((sum, { length }) => sum + length, 8));
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, ...parts]);
}

/** The same with version and flags. */
export function fullBox(type: string, version: number, flags: number, ...parts: readonly Buffer[]): Buffer {
  return box(type, field(version, 1), field(flags, 3), ...parts);
}

/** A whole number of so many bytes. */
export function field(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntBE(value, 0, length);
  return bytes;
}
