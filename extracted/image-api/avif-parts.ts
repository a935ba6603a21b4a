import { stillOf, type Item, type Reference, type Still } from './avif-items.ts';
import { keptProperty } from './avif-properties.ts';
import type { BytesOf } from './bytes-of.ts';
import { box, boxSize, field, fullBox, NotFollowed } from './iso-boxes.ts';
import type { Span } from './original.ts';
import { Kept, MOST_SEGMENTS, type Walk } from './parts.ts';
import { damaged } from './problem.ts';

/** Bytes of the box that says what is where; a walk has no more in memory. */
const MOST_META = 1_048_576;
/** Properties that one byte can name. */
const MOST_PROPERTIES = 127;

const FTYP = box('ftyp', Buffer.from('avif\0\0\0\0avifmif1miaf', 'latin1'));
const HDLR = fullBox('hdlr', 0, 0, Buffer.alloc(4), Buffer.from('pict'), Buffer.alloc(13));

/**
 * Of an AVIF: the coded data of the picture that it shows, its tiles and its transparency, in a file that is written anew around them, so that of the client's boxes only numbers are left that
 * are known here. Sequences, and what is not followed, are encoded anew.
 */
export const avifParts: Walk = (bytes) => {
  try {
    const meta = metaOf(bytes);
    if (!meta) return null;
    return { parts: written(stillOf(meta.body, meta.start, bytes.size), bytes.size), proof: 'all' };
  } catch (error) {
    if (error instanceof NotFollowed) return null;
    throw error;
  }
};

/** The box that says what is where, in memory. Null when there is none, or the file is a sequence too. Throws 422 where the file ends before it does. */
function metaOf(bytes: BytesOf): { body: Buffer; start: number } | null {
  let meta: { body: Buffer; start: number } | null = null;
  let offset = 0;
  for (let count = 0; offset < bytes.size; count++) {
    const head = bytes.at(offset, 16);
    const rest = bytes.size - offset;
    const found = head.length < 8 ? null : boxSize(head, rest);
    // What is behind the picture may be anything.
    if (!found || found.whole > rest) {
      if (meta) return meta;
      throw damaged();
    }
    if (count >= MOST_SEGMENTS || found.type === 'moov') return null;
    if (found.type === 'ftyp' || found.type === 'meta') {
      if (found.whole > MOST_META || (found.type === 'ftyp') !== (offset === 0) || meta) return null;
      const body = Buffer.from(bytes.at(offset + found.head, found.whole - found.head));
      if (found.type === 'meta') meta = { body, start: offset + found.head };
      else if (body.toString('latin1').includes('avis')) return null;
    }
    offset += found.whole;
  }
  return meta;
}

/** The file of this picture. Items get new numbers, in order. */
function written({ items, references }: Still, size: number): (Span | Buffer)[] {
  const places = new Map<string, { at: number; length: number }>();
  const data = new Kept();
  let length = 0;
  const located = items.map(({ spans }) => {
    const key = spans.map(({ start, end }) => `${start}-${end}`).join();
    const known = places.get(key);
    if (known) return known;
    const place = { at: length, length: 0 };
    for (const { start, end } of spans) {
      data.keep(start, end - start + 1);
      place.length += end - start + 1;
    }
    length += place.length;
    // Extents may lie over each other: what is stored must not be larger than what came.
    if (length > size) throw new NotFollowed('items that overlap');
    places.set(key, place);
    return place;
  });
  const numbers = new Map(items.map(({ id }, at) => [id, at + 1]));
  const meta = (from: number): Buffer =>
    fullBox(
      'meta',
      0,
      0,
      HDLR,
      fullBox('pitm', 0, 0, field(1, 2)),
      fullBox(
        'iloc',
        0,
        0,
        field(0x44, 1),
        field(0, 1),
        field(items.length, 2),
        ...located.map((place, at) =>
          Buffer.concat([
            field(at + 1, 2),
            field(0, 2),
            field(1, 2),
            field(from + place.at, 4),
            field(place.length, 4),
          ]),
        ),
      ),
      fullBox(
        'iinf',
        0,
        0,
        field(items.length, 2),
        ...items.map(({ type, isHidden }, at) =>
          fullBox('infe', 2, isHidden ? 1 : 0, field(at + 1, 2), field(0, 2), Buffer.from(type), field(0, 1)),
        ),
      ),
      ...(references.length > 0
        ? [fullBox('iref', 0, 0, ...references.map((each) => reference(each, numbers)))]
        : []),
      properties(items),
    );
  const head = meta(0).length + FTYP.length + 8;
  return [Buffer.concat([FTYP, meta(head), field(8 + length, 4), Buffer.from('mdat')]), ...data.parts];
}

function reference({ type, from, to }: Reference, numbers: ReadonlyMap<number, number>): Buffer {
  return box(
    type,
    field(numbers.get(from)!, 2),
    field(to.length, 2),
    ...to.map((id) => field(numbers.get(id)!, 2)),
  );
}

/** Each property once, and which item has which. */
function properties(items: readonly Item[]): Buffer {
  const kept: Buffer[] = [];
  const entries = items.map((item, at) => {
    const own = item.properties.flatMap(({ property, isEssential }) => {
      const wanted = keptProperty(property, isEssential);
      if (!wanted) return [];
      let index = kept.findIndex((each) => each.equals(wanted));
      if (index === -1) index = kept.push(wanted) - 1;
      if (index >= MOST_PROPERTIES) throw new NotFollowed('too many properties');
      return [(isEssential ? 0x80 : 0) | (index + 1)];
    });
    return Buffer.concat([field(at + 1, 2), field(own.length, 1), Buffer.from(own)]);
  });
  return box('iprp', box('ipco', ...kept), fullBox('ipma', 0, 0, field(items.length, 4), ...entries));
}
