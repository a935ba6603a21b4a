/** A box of an AVIF (ISO/IEC 14496-12 §4.2). */
export function box(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part as string, 'latin1')));
  return Buffer.concat([number(body.length + 8, 4), Buffer.from(type, 'latin1'), body]);
}

/** The same with its size in 64 bits. */
export function largeBox(type: string, body: Buffer): Buffer {
  return Buffer.concat([
    number(1, 4),
    Buffer.from(type, 'latin1'),
    number(0, 4),
    number(body.length + 16, 4),
    body,
  ]);
}

export function number(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (length === 8) bytes.writeBigUInt64BE(BigInt(value));
  else if (length > 0) bytes.writeUIntBE(value, 0, length);
  return bytes;
}

/** One item of a file. */
export interface Piece {
  readonly id: number;
  readonly type: string;
  readonly data: Buffer;
  readonly isHidden?: boolean;
  /** Whole boxes, and whether they have to be understood. */
  readonly properties?: readonly (readonly [Buffer, boolean])[];
  /** What follows the type in its entry: a name, a kind of content. */
  readonly name?: string;
}

export interface Pieces {
  readonly pieces: readonly Piece[];
  readonly references: readonly (readonly [type: string, from: number, to: readonly number[]])[];
}

/** How a file is written. */
export interface Form {
  /** Of its locations. Default 0. */
  readonly version?: 0 | 1 | 2;
  /** Data in the meta box itself. Only with version 1 or 2. */
  readonly isInside?: boolean;
  /** Data in pieces of so many bytes, in the reverse order. Default: in one piece. */
  readonly extent?: number;
  /** Ids, locations and properties in their widest form, sizes in 64 bits. */
  readonly isWide?: boolean;
  /** A text that is put wherever there is room for one. */
  readonly mark?: string;
  /** Major brand. Default avif. */
  readonly brand?: string;
}

/** The items of an AVIF as sharp or the image-api writes it. */
export function avifPieces(file: Buffer): Pieces {
  const top = boxes(file);
  const meta = boxes(top.get('meta')![0]!.subarray(4));
  const iprp = boxes(meta.get('iprp')![0]!);
  const all = [...walk(iprp.get('ipco')![0]!)].map(([type, body]) => box(type, body));
  const properties = new Map<number, (readonly [Buffer, boolean])[]>();
  const ipma = iprp.get('ipma')![0]!;
  for (let n = ipma.readUInt32BE(4), at = 8; n > 0; n--) {
    const own = [...ipma.subarray(at + 3, at + 3 + ipma[at + 2]!)];
    properties.set(
      ipma.readUInt16BE(at),
      own.map((each) => [all[(each & 0x7f) - 1]!, each > 0x7f] as const),
    );
    at += 3 + own.length;
  }
  const iloc = meta.get('iloc')![0]!;
  const data = new Map<number, Buffer>();
  // Offsets and lengths of four bytes, each item in one extent, a base of four bytes or none.
  const base = iloc[5]! >> 4;
  for (let at = 8; at < iloc.length; at += 14 + base) {
    const start = (base === 0 ? 0 : iloc.readUInt32BE(at + 4)) + iloc.readUInt32BE(at + 6 + base);
    data.set(iloc.readUInt16BE(at), file.subarray(start, start + iloc.readUInt32BE(at + 10 + base)));
  }
  const pieces = [...walk(meta.get('iinf')![0]!.subarray(6))].map(([, entry]): Piece => {
    const id = entry.readUInt16BE(4);
    return {
      id,
      type: entry.toString('latin1', 8, 12),
      data: data.get(id)!,
      isHidden: entry[3] === 1,
      properties: properties.get(id) ?? [],
      name: entry.toString('latin1', 12),
    };
  });
  const iref = meta.get('iref')?.[0];
  const references = [...walk(iref?.subarray(4) ?? Buffer.alloc(0))].map(([type, body]) => {
    const to = Array.from({ length: body.readUInt16BE(2) }, (_none, n) => body.readUInt16BE(4 + 2 * n));
    return [type, body.readUInt16BE(0), to] as const;
  });
  return { pieces, references };
}

/** A file of these items; the first is what it shows. */
export function avif({ pieces, references }: Pieces, form: Form = {}): Buffer {
  const {
    version = 0,
    isInside = false,
    extent = Infinity,
    isWide = false,
    mark = '',
    brand = 'avif',
  } = form;
  const planted = mark === '' ? [] : [mark];
  const id = (value: number): Buffer => number(value, isWide ? 4 : 2);
  const room = (type: string): Buffer[] => planted.map((text) => box(type, text.repeat(4)));
  const flagged = (type: string, v: number, flags: number, ...parts: (Buffer | string)[]): Buffer =>
    box(type, number(v, 1), number(flags, 3), ...parts);

  const kept: Buffer[] = planted.map((text) => box('none', text));
  const owned = pieces.map((piece) =>
    (piece.properties ?? []).map(([property, isEssential]) => {
      const at = kept.push(property);
      return number(at | (isEssential ? 0x8000 : 0), 2);
    }),
  );
  const data: Buffer[] = [];
  let length = 0;
  const extents = pieces.map((piece) => {
    const parts: { at: number; bytes: Buffer }[] = [];
    for (let at = 0; at < piece.data.length; at += extent)
      parts.push({ at: 0, bytes: piece.data.subarray(at, at + Math.min(extent, piece.data.length)) });
    for (const part of parts.toReversed()) {
      part.at = length;
      data.push(part.bytes, ...planted.map((text) => Buffer.from(text)));
      length += part.bytes.length + mark.length;
    }
    return parts;
  });
  const body = Buffer.concat(data);
  const wide = isWide ? 8 : 4;
  const meta = (from: number): Buffer =>
    flagged(
      'meta',
      0,
      0,
      flagged('hdlr', 0, 0, number(0, 4), 'pict', mark.padEnd(12).slice(0, 12), `${mark}\0`),
      ...room('uuid'),
      ...planted.map((text) => box('dinf', flagged('dref', 0, 0, number(1, 4), flagged('url ', 0, 0, text)))),
      flagged('pitm', isWide ? 1 : 0, 0, id(pieces[0]!.id)),
      flagged(
        'iloc',
        version,
        0,
        number(isWide ? 0x88 : 0x44, 1),
        number(isWide ? 0x88 : 0, 1),
        number(pieces.length, version === 2 ? 4 : 2),
        ...extents.flatMap((parts, at) => [
          number(pieces[at]!.id, version === 2 ? 4 : 2),
          ...(version === 0 ? [] : [number(isInside ? 1 : 0, 2)]),
          number(0, 2),
          number(isWide ? from : 0, isWide ? 8 : 0),
          number(parts.length, 2),
          ...parts.flatMap((part) => [
            number(7, isWide && version > 0 ? 8 : 0),
            number(part.at + (isWide ? 0 : from), wide),
            number(part.bytes.length, wide),
          ]),
        ]),
      ),
      flagged(
        'iinf',
        isWide ? 1 : 0,
        0,
        id(pieces.length),
        ...pieces.map((piece) =>
          flagged(
            'infe',
            isWide ? 3 : 2,
            piece.isHidden ? 1 : 0,
            id(piece.id),
            number(0, 2),
            piece.type,
            `${mark}${piece.name ?? '\0'}`,
          ),
        ),
      ),
      ...(references.length > 0
        ? [
            flagged(
              'iref',
              isWide ? 1 : 0,
              0,
              ...references.map(([type, one, to]) => box(type, id(one), number(to.length, 2), ...to.map(id))),
            ),
          ]
        : []),
      box(
        'iprp',
        box('ipco', ...kept),
        flagged(
          'ipma',
          isWide ? 1 : 0,
          1,
          number(pieces.length, 4),
          ...owned.flatMap((own, at) => [id(pieces[at]!.id), number(own.length, 1), ...own]),
        ),
      ),
      ...(isInside ? [box('idat', body)] : []),
      ...room('mark'),
      ...room('free'),
    );
  const before = [box('ftyp', `${brand}\0\0\0\0${brand}mif1miaf`), ...room('free'), ...room('skip')];
  const inMeta = isWide ? [largeBox('meta', meta(0).subarray(8))] : [meta(0)];
  const head = Buffer.concat([...before, ...inMeta]).length + 8;
  const metaBytes = meta(isInside ? 0 : head);
  return Buffer.concat([
    ...before,
    isWide ? largeBox('meta', metaBytes.subarray(8)) : metaBytes,
    ...(isInside ? [] : [box('mdat', body, ...planted)]),
    ...['uuid', 'udta', 'free', 'mdat'].flatMap(room),
  ]);
}

function* walk(bytes: Buffer): Generator<[string, Buffer]> {
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at))
    yield [bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + bytes.readUInt32BE(at))];
}

function boxes(bytes: Buffer): Map<string, Buffer[]> {
  const found = new Map<string, Buffer[]>();
  for (const [type, body] of walk(bytes)) found.set(type, [...(found.get(type) ?? []), body]);
  return found;
}
