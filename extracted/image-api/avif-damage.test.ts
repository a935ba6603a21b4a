import assert from 'node:assert/strict';
import sharp from 'sharp';
import { drawing } from '../../test/contract/pictures.ts';
import { avif, avifPieces, box, largeBox, number, type Piece } from '../../test/support/avif-bytes.ts';
import { openCleaning, type Cleaning } from '../../test/support/cleaning.ts';
import { avifParts } from './avif-parts.ts';
import { bytesOf } from './bytes-of.ts';

const MARK = 'PLANTED-SECRET';
/** What is odd, and no damage. */
const TAKEN = ['two meta boxes', '20,000 boxes', 'a box in 64 bits', 'a meta box of megabytes'];

describe('AVIF that is damaged', function () {
  this.timeout(60_000);
  let cleaning: Cleaning;
  before(() => void (cleaning = openCleaning()));
  after(() => cleaning.close());

  it('is refused, and leads nobody astray by counts and sizes', async () => {
    const { pieces } = avifPieces(await (await drawing(160, 120)).avif().toBuffer());
    const [main] = pieces as [Piece];
    const whole = avif({ pieces, references: [] });
    const patched = (type: string, at: number, bytes: Buffer, file = whole): Buffer => {
      const copy = Buffer.from(file);
      bytes.copy(copy, copy.indexOf(type, 0, 'latin1') + 4 + at);
      return copy;
    };
    const inIdat = avif({ pieces, references: [] }, { version: 1, isInside: true });
    const inside = (...boxes: Buffer[]): Buffer => {
      const [ftyp, rest] = [inIdat.subarray(0, 28), inIdat.subarray(28)];
      return Buffer.concat([ftyp, ...boxes, rest]);
    };
    let nested: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 500; depth++) nested = box('meta', number(0, 4), nested);
    const thousand = Array.from({ length: 900 }, (_none, n) => ({ ...main, id: n + 1 }));
    const many = avif({ pieces: thousand, references: [['dimg', 1, thousand.slice(1).map(({ id }) => id)]] });
    for (const [what, bytes] of [
      ['an item beyond the file', patched('iloc', 14, number(0xffff_0000, 4))],
      ['an item longer than the file', patched('iloc', 18, number(0xffff_0000, 4))],
      ['65,535 extents', patched('iloc', 12, number(0xffff, 2))],
      ['extents of no size', patched('iloc', 4, number(0, 1))],
      ['65,535 items', patched('iinf', 4, number(0xffff, 2))],
      ['4 billion associations', patched('ipma', 4, number(0xffff_ffff, 4))],
      ['another primary item', patched('pitm', 4, number(77, 2))],
      ['a property that is not there', patched('ipma', 12, number(0x7f, 1))],
      [
        'a box of 2⁶⁴ bytes',
        inside(Buffer.concat([number(1, 4), Buffer.from('free'), Buffer.alloc(8, 0xff)])),
      ],
      [
        'a box smaller than its head',
        inside(Buffer.concat([number(1, 4), Buffer.from('free'), number(9, 8)])),
      ],
      ['two meta boxes', inside(whole.subarray(28, 28 + whole.readUInt32BE(28)))],
      ['meta boxes in meta boxes', inside(nested)],
      ['20,000 boxes', inside(...Array.from({ length: 20_000 }, () => box('free')))],
      ['a box in 64 bits', inside(largeBox('free', Buffer.from(MARK)))],
      [
        'a meta box of megabytes',
        avif({
          pieces: [
            { ...main, properties: [...main.properties!, [box('none', Buffer.alloc(2 ** 21)), false]] },
          ],
          references: [],
        }),
      ],
      ['hundreds of items', many],
      [
        'a grid of itself',
        avif({ pieces: [{ ...main, type: 'grid' }], references: [['dimg', main.id, [main.id, main.id]]] }),
      ],
      ['nothing but a beginning', whole.subarray(0, 28)],
      ['half', whole.subarray(0, whole.length - main.data.length / 2)],
    ] as const) {
      const begin = performance.now();
      const kept = await cleaning.stored(bytes, 'avif');
      assert.ok(performance.now() - begin < 5000, what);
      if (typeof kept === 'object') {
        await sharp(kept.bytes, { failOn: 'warning' }).raw().toBuffer();
        assert.ok(!kept.bytes.includes(MARK), what);
      }
      const isTaken = TAKEN.includes(what);
      assert.equal(typeof kept === 'object' ? 201 : kept, isTaken ? 201 : 422, what);
    }
  });

  it('can not be made to grow by extents that lie over each other', async () => {
    const { pieces } = avifPieces(await (await drawing(160, 120)).avif().toBuffer());
    const file = Buffer.from(avif({ pieces, references: [] }, { extent: 1 }));
    const count = pieces[0]!.data.length;
    // Each of them is made to be the whole file.
    for (let n = 0, at = file.indexOf('iloc') + 18; n < count; n++, at += 8) {
      file.writeUInt32BE(0, at);
      file.writeUInt32BE(file.length, at + 4);
    }
    const walk = (bytes: Buffer): ReturnType<typeof avifParts> =>
      avifParts(
        bytesOf((window, offset, length, at) => bytes.copy(window, offset, at, at + length), bytes.length),
      );
    assert.equal(walk(file), null);
    assert.notEqual(walk(avif({ pieces, references: [] }, { extent: 1 })), null);
  });
});
