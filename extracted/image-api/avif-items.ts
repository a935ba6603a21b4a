import { isAlpha } from './avif-properties.ts';
import { boxesIn, Fields, NotFollowed, only, type Box } from './iso-boxes.ts';
import type { Span } from './original.ts';
import { MOST_SEGMENTS } from './parts.ts';
import { damaged } from './problem.ts';

/** Items of a file that are looked at; a picture of tiles has hundreds. */
const MOST_ITEMS = 1000;
/** Bytes of a grid: version, flags, rows, columns, width and height of four bytes each (ISO/IEC 23008-12 §6.6.2.3). */
const GRID = 12;

/** One picture of a file: coded, or a grid of others. */
export interface Item {
  readonly id: number;
  readonly type: 'av01' | 'grid';
  /** Not to be shown by itself. */
  readonly isHidden: boolean;
  /** Where its bytes are in the file. */
  readonly spans: readonly Span[];
  readonly properties: readonly { readonly property: Box; readonly isEssential: boolean }[];
}

export interface Reference {
  /** dimg: made of; auxl: belongs to; prem: was multiplied by. */
  readonly type: string;
  readonly from: number;
  readonly to: readonly number[];
}

/** The picture that a file shows: first in `items`, then what it needs. */
export interface Still {
  readonly items: readonly Item[];
  readonly references: readonly Reference[];
}

/**
 * Reads the meta box of an AVIF (ISO/IEC 14496-12 §8.11, 23008-12): the primary picture, its tiles, and its transparency with tiles of its own. Thumbnails, metadata, further
 * pictures and what is not known are passed over. `start`: where the body of the box is in the file, of `size` bytes. Throws `NotFollowed`, and 422 for a picture whose bytes are not in the file.
 */
export function stillOf(meta: Buffer, start: number, size: number): Still {
  // Version and flags come first.
  const boxes = boxesIn(meta.subarray(4));
  const need = (type: string): Buffer => {
    const found = only(boxes, type);
    if (!found) throw new NotFollowed(`no ${type}`);
    return found.body;
  };
  if (need('hdlr').toString('latin1', 8, 12) !== 'pict') throw new NotFollowed('no pictures');
  const kinds = kindsOf(need('iinf'));
  const references = referencesOf(only(boxes, 'iref')?.body);
  const propertiesOf = associations(need('iprp'));
  const idat = only(boxes, 'idat');
  const extents = extentsOf(
    need('iloc'),
    size,
    idat && { start: start + 4 + idat.start, length: idat.body.length },
  );

  const items = new Map<number, Item>();
  const take = (id: number, types: readonly string[]): Item => {
    const known = items.get(id);
    const kind = kinds.get(id);
    const spans = extents(id);
    if (known || !kind || !types.includes(kind.type)) throw new NotFollowed('items that are used otherwise');
    const item = { id, ...kind, spans, properties: propertiesOf(id) } as Item;
    items.set(id, item);
    return item;
  };
  const kept: Reference[] = [];
  const takeWhole = (id: number): void => {
    if (take(id, ['av01', 'grid']).type === 'av01') return;
    const made = references.filter(({ type, from }) => type === 'dimg' && from === id);
    const length = items.get(id)!.spans.reduce((sum, { start, end }) => sum + end - start + 1, 0);
    if (made.length !== 1 || length > GRID) throw new NotFollowed('a grid of another kind');
    for (const tile of made[0]!.to) take(tile, ['av01']);
    kept.push(made[0]!);
  };

  const pitm = new Fields(need('pitm'));
  const primary = pitm.number(pitm.full().version === 0 ? 2 : 4);
  takeWhole(primary);
  const alphas = references.filter(
    ({ type, from, to }) =>
      type === 'auxl' && to.includes(primary) && propertiesOf(from).some(({ property }) => isAlpha(property)),
  );
  if (alphas.length > 1) throw new NotFollowed('transparency twice');
  for (const { type, from } of alphas) {
    takeWhole(from);
    kept.push({ type, from, to: [primary] });
    if (references.some((each) => each.type === 'prem' && each.from === primary && each.to.includes(from)))
      kept.push({ type: 'prem', from: primary, to: [from] });
  }
  return { items: [...items.values()], references: kept };
}

/** Item information (§8.11.6). */
function kindsOf(iinf: Buffer): Map<number, { type: string; isHidden: boolean }> {
  const fields = new Fields(iinf);
  const count = fields.number(fields.full().version === 0 ? 2 : 4);
  const entries = boxesIn(fields.take(fields.left));
  if (entries.length !== count || count > MOST_ITEMS) throw new NotFollowed('another number of items');
  const kinds = new Map<number, { type: string; isHidden: boolean }>();
  for (const { type, body } of entries) {
    const entry = new Fields(body);
    const { version, flags } = entry.full();
    if (type !== 'infe' || (version !== 2 && version !== 3)) throw new NotFollowed('an item of another kind');
    const id = entry.number(version === 2 ? 2 : 4);
    const isProtected = entry.number(2) !== 0;
    if (isProtected || kinds.has(id)) throw new NotFollowed('an item that is protected, or twice');
    kinds.set(id, { type: entry.code(), isHidden: (flags & 1) === 1 });
  }
  return kinds;
}

/** Item locations (§8.11.3): a function that says where an item's bytes are. `idat`: the part of the file that some are counted in. */
function extentsOf(
  iloc: Buffer,
  size: number,
  idat: { start: number; length: number } | null,
): (id: number) => Span[] {
  const fields = new Fields(iloc);
  const { version } = fields.full();
  if (version > 2) throw new NotFollowed('locations of another version');
  const [sizes, more] = [fields.number(1), fields.number(1)];
  const [offsetSize, lengthSize, baseSize] = [sizes >> 4, sizes & 15, more >> 4];
  const indexSize = version === 0 ? 0 : more & 15;
  if (
    [offsetSize, lengthSize, baseSize, indexSize].some((each) => each % 4 !== 0 || each > 8) ||
    lengthSize === 0
  )
    throw new NotFollowed('locations of other sizes');
  const count = fields.number(version === 2 ? 4 : 2);
  const found = new Map<number, { within: number; spans: { start: number; length: number }[] }>();
  let total = 0;
  for (let n = 0; n < count; n++) {
    const id = fields.number(version === 2 ? 4 : 2);
    const method = version === 0 ? 0 : fields.number(2) & 15;
    const isElsewhere = fields.number(2) !== 0;
    const base = fields.number(baseSize);
    const extents = fields.number(2);
    if ((total += extents) > MOST_SEGMENTS || n > MOST_SEGMENTS) throw new NotFollowed('too many extents');
    const spans = Array.from({ length: extents }, () => {
      fields.number(indexSize);
      return { start: base + fields.number(offsetSize), length: fields.number(lengthSize) };
    });
    if (found.has(id)) throw new NotFollowed('an item in two places');
    found.set(id, { within: isElsewhere ? 2 : method, spans });
  }
  return (id) => {
    const { within, spans } = found.get(id) ?? { within: 2, spans: [] };
    const room = within === 0 ? { start: 0, length: size } : within === 1 ? idat : null;
    if (!room || spans.length === 0) throw new NotFollowed('an item that is elsewhere');
    return spans.map(({ start, length }) => {
      // None given: all there is.
      if (length === 0) throw new NotFollowed('an extent without a length');
      if (start + length > room.length) throw damaged();
      return { start: room.start + start, end: room.start + start + length - 1 };
    });
  };
}

/** Item references (§8.11.12), of the types that are kept. */
function referencesOf(iref: Buffer | undefined): Reference[] {
  if (!iref) return [];
  const fields = new Fields(iref);
  const length = fields.full().version === 0 ? 2 : 4;
  return boxesIn(fields.take(fields.left))
    .filter(({ type }) => ['dimg', 'auxl', 'prem'].includes(type))
    .map(({ type, body }) => {
      const reference = new Fields(body);
      const from = reference.number(length);
      const count = reference.number(2);
      if (count > MOST_ITEMS) throw new NotFollowed('too many references');
      return { type, from, to: Array.from({ length: count }, () => reference.number(length)) };
    });
}

/** Item properties (23008-12 §9.3): a function that says which an item has, in their order, which is that of turning and cutting. */
function associations(iprp: Buffer): (id: number) => Item['properties'] {
  const boxes = boxesIn(iprp);
  const properties = boxesIn(only(boxes, 'ipco')?.body ?? Buffer.alloc(0));
  const found = new Map<number, Item['properties']>();
  for (const { body } of boxes.filter(({ type }) => type === 'ipma')) {
    const fields = new Fields(body);
    const { version, flags } = fields.full();
    const isWide = (flags & 1) === 1;
    for (let left = fields.number(4); left > 0; left--) {
      const id = fields.number(version === 0 ? 2 : 4);
      if (found.has(id)) throw new NotFollowed('properties in two places');
      const own = Array.from({ length: fields.number(1) }, () => {
        const word = fields.number(isWide ? 2 : 1);
        const index = word & (isWide ? 0x7fff : 0x7f);
        return { property: properties[index - 1], isEssential: word !== index };
      });
      found.set(
        id,
        own.map(({ property, isEssential }) => {
          if (!property) throw new NotFollowed('a property that is not there');
          return { property, isEssential };
        }),
      );
    }
  }
  return (id) => found.get(id) ?? [];
}
