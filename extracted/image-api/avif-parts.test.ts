import assert from 'node:assert/strict';
import sharp, { type Sharp } from 'sharp';
import { drawing, isUpright } from '../../test/contract/pictures.ts';
import {
  avif,
  avifPieces,
  box,
  number,
  type Form,
  type Piece,
  type Pieces,
} from '../../test/support/avif-bytes.ts';
import { openCleaning, type Cleaning, type Stored } from '../../test/support/cleaning.ts';

const MARK = 'PLANTED-SECRET';
const FORMS: readonly Form[] = [
  {},
  { version: 1, isInside: true },
  { version: 2, isInside: true, isWide: true },
  { version: 2, isWide: true },
  { extent: 50 },
  { version: 1, extent: 90, isWide: true },
];

const pixels = (file: Buffer): Promise<Buffer> => sharp(file).raw().toBuffer();

describe('AVIF', function () {
  this.timeout(60_000);
  let cleaning: Cleaning;
  before(() => void (cleaning = openCleaning()));
  after(() => cleaning.close());
  const stored = async (bytes: Buffer): Promise<Exclude<Stored, number>> => {
    const kept = await cleaning.stored(bytes, 'avif');
    assert.ok(typeof kept === 'object', String(kept));
    return kept;
  };
  const drawn = async (make: (picture: Sharp) => Sharp = (picture) => picture): Promise<Pieces> =>
    avifPieces(
      await make(await drawing(160, 120))
        .avif()
        .toBuffer(),
    );
  /** Stored as it was coded: the same data of these items in the same order, and nothing of anybody's. */
  const keeps = async (file: Buffer, items: readonly Piece[]): Promise<Buffer> => {
    const { bytes, width, height } = await stored(file);
    assert.deepEqual(
      avifPieces(bytes).pieces.map(({ type, data }) => [type, data]),
      items.map(({ type, data }) => [type, data]),
    );
    const shown = await sharp(file).raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([width, height], [shown.info.width, shown.info.height]);
    assert.ok(shown.data.equals(await pixels(bytes)));
    assert.ok(!bytes.includes(MARK) && !bytes.includes('Exif') && !bytes.includes('mime'));
    // What is clean stays as it is.
    assert.ok((await stored(bytes)).bytes.equals(bytes));
    return bytes;
  };
  /** Stored, but not as it was coded. */
  const encodesAnew = async (file: Buffer, data: Buffer): Promise<Buffer> => {
    const { bytes } = await stored(file);
    assert.ok(!bytes.includes(data));
    assert.ok(!bytes.includes(MARK));
    return bytes;
  };

  for (const [what, make] of [
    ['opaque', (picture) => picture],
    ['transparent', (picture) => picture.ensureAlpha(0.4)],
    ['grey', (picture) => picture.greyscale()],
  ] as const satisfies [string, (picture: Sharp) => Sharp][])
    it(`keeps coded data and nothing else, however the file is laid out: ${what}`, async () => {
      const dirty = await drawn((picture) =>
        make(picture)
          .withExif({ IFD0: { Artist: MARK } })
          .withXmp(`<x xmlns="${MARK}"/>`),
      );
      const coded = dirty.pieces.filter(({ type }) => type === 'av01');
      assert.equal(dirty.pieces.length, coded.length + 2);
      const first = await keeps(avif(dirty), coded);
      for (const form of FORMS)
        for (const mark of ['', MARK]) {
          const file = avif(dirty, { ...form, mark });
          assert.ok(file.includes(MARK));
          assert.ok((await keeps(file, coded)).equals(first), JSON.stringify(form));
        }
    });

  it('leaves no word in properties, thumbnails and further pictures', async () => {
    const { pieces } = await drawn();
    const [main] = pieces as [Piece];
    const property = (type: string, ...parts: (Buffer | string)[]): readonly [Buffer, boolean] => [
      box(type, ...parts),
      false,
    ];
    const coded = main.properties!.map(([bytes, isEssential]) => {
      const isConfiguration = bytes.toString('latin1', 4, 8) === 'av1C';
      // A unit of metadata, which decoders pass over.
      const unit = Buffer.concat([
        Buffer.from([0x2a, MARK.length + 2, 4]),
        Buffer.from(MARK),
        number(0x80, 1),
      ]);
      return [isConfiguration ? box('av1C', bytes.subarray(8), unit) : bytes, isEssential] as const;
    });
    const more = {
      ...main,
      properties: [
        ...coded,
        property('udes', number(0, 4), `en\0${MARK}\0${MARK}\0`),
        property('uuid', MARK.repeat(4)),
        property('cclv', MARK),
      ],
    };
    const small = avifPieces(
      await sharp(Buffer.alloc(3 * 16 * 12, MARK), { raw: { width: 16, height: 12, channels: 3 } })
        .avif({ lossless: true })
        .toBuffer(),
    ).pieces[0]!;
    const depth = [
      ...small.properties!,
      property('auxC', number(0, 4), `urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0${MARK}`),
    ];
    const file = avif({
      pieces: [
        more,
        { ...small, id: 7, isHidden: true },
        { ...small, id: 8, isHidden: true, properties: depth },
        { id: 9, type: 'uri ', data: Buffer.from(MARK), name: `\0${MARK}\0` },
      ],
      references: [
        ['thmb', 7, [main.id]],
        ['auxl', 8, [main.id]],
        ['cdsc', 9, [main.id]],
      ],
    });
    await keeps(file, [main]);
  });

  it('keeps transparency by either of its names, and without the words behind it', async () => {
    const plain = await drawn((picture) => picture.ensureAlpha(0.4));
    const [main, alpha] = plain.pieces as [Piece, Piece];
    for (const name of ['urn:mpeg:mpegB:cicp:systems:auxiliary:alpha', 'urn:mpeg:hevc:2015:auxid:1']) {
      const properties = alpha.properties!.map(([bytes, isEssential]) =>
        bytes.toString('latin1', 4, 8) === 'auxC'
          ? ([box('auxC', number(0, 4), `${name}\0${MARK}`), isEssential] as const)
          : ([bytes, isEssential] as const),
      );
      const bytes = await keeps(avif({ ...plain, pieces: [main, { ...alpha, properties }] }), [main, alpha]);
      assert.equal((await sharp(bytes).metadata()).channels, 4);
    }
  });

  for (let turn = 0; turn < 4; turn++)
    for (const mirror of [null, 0, 1])
      it(`turns as its properties say: ${turn}, mirrored ${mirror}`, async () => {
        const { pieces } = await drawn();
        const [main] = pieces as [Piece];
        const turned = [
          ...main.properties!,
          [box('irot', number(0xfc | turn, 1)), true] as const,
          ...(mirror === null ? [] : [[box('imir', number(0xfe | mirror, 1)), true] as const]),
        ];
        const file = avif({ pieces: [{ ...main, properties: turned }], references: [] });
        await keeps(file, [main]);
        if (turn === 0) assert.equal(await isUpright(file), mirror === null);
        // Another order is another picture.
        const other = [...main.properties!, ...turned.slice(main.properties!.length).toReversed()];
        await keeps(avif({ pieces: [{ ...main, properties: other }], references: [] }), [main]);
      });

  it('is not turned by EXIF, as it never was', async () => {
    const sideways = await (await drawing(160, 120)).withMetadata({ orientation: 6 }).avif().toBuffer();
    const { pieces } = avifPieces(sideways);
    const properties = pieces[0]!.properties!.filter(
      ([bytes]) => !['irot', 'colr'].includes(bytes.toString('latin1', 4, 8)),
    );
    const file = avif({
      pieces: [{ ...pieces[0]!, properties }, ...pieces.slice(1)],
      references: [['cdsc', 2, [1]]],
    });
    assert.ok(file.includes('Exif\0\0'));
    const { info } = await sharp(file).autoOrient().raw().toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [160, 120]);
    assert.ok(await isUpright(await keeps(file, [pieces[0]!])));
  });

  it('keeps a picture of tiles, also where tiles are the same', async () => {
    const [left] = (await drawn()).pieces as [Piece];
    const [right] = (await drawn((picture) => picture.negate())).pieces as [Piece];
    const sides = box('ispe', number(0, 4), number(320, 4), number(240, 4));
    const tiles = [left, right, left, left].map((tile, at) => ({ ...tile, id: 20 - at, isHidden: true }));
    const grid = (data: Buffer): Piece => ({
      id: 10,
      type: 'grid',
      data,
      properties: [[sides, false], ...left.properties!.filter(([bytes]) => bytes.includes('pixi'))],
    });
    const two = grid(Buffer.from([0, 0, 1, 1, 1, 64, 0, 240]));
    const references = [['dimg', 10, tiles.map(({ id }) => id)]] as const;
    for (const form of FORMS) {
      const file = avif({ pieces: [two, ...tiles], references }, { ...form, mark: MARK });
      const bytes = await keeps(file, [two, ...tiles]);
      assert.ok(bytes.length < 1300 + 2 * left.data.length + right.data.length, 'each once');
    }
    const talking = grid(Buffer.concat([two.data, Buffer.from(MARK)]));
    await encodesAnew(avif({ pieces: [talking, ...tiles], references }), left.data);
  });

  it('encodes anew what has other colours, more bits, or moves', async () => {
    const coded = async (make: (picture: Sharp) => Sharp): Promise<[Buffer, Buffer]> => {
      const file = await make(await drawing(160, 120)).toBuffer();
      return [file, avifPieces(file).pieces[0]!.data];
    };
    const wide = await coded((picture) => picture.withIccProfile('p3').avif());
    assert.equal((await sharp(await encodesAnew(...wide)).metadata()).icc, undefined);
    const { pieces } = await drawn();
    const [main] = pieces as [Piece];
    const coloured = (primaries: number, transfer: number): Buffer => {
      const colours = box(
        'colr',
        'nclx',
        number(primaries, 2),
        number(transfer, 2),
        number(6, 2),
        number(0xff, 1),
      );
      const properties = [...main.properties!, [colours, false] as const];
      return avif({ pieces: [{ ...main, properties }], references: [] });
    };
    for (const [primaries, transfer] of [
      [1, 13],
      [2, 2],
      [1, 1],
    ] as const)
      assert.ok(
        (await keeps(coloured(primaries, transfer), [main])).includes(
          'nclx\0\x01\0\x0d\0\x06\x80',
          0,
          'latin1',
        ),
      );
    await encodesAnew(coloured(9, 16), main.data);
    await encodesAnew(coloured(12, 13), main.data);
    const sequence = avif({ pieces, references: [] }, { brand: 'avis' });
    // A decoder that is told of a sequence looks for one.
    assert.equal(await cleaning.stored(sequence, 'avif'), 422);
  });
});
