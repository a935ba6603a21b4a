import { availableParallelism } from 'node:os';
import sharp, { type Sharp } from 'sharp';
import type { Bounded } from './bounded.ts';
import { kindOf } from './magic.ts';
import { Problem } from './problem.ts';
import { MAX_SIDE, type Kind, type Wish } from './wish.ts';

// The parallelism is over pictures, not inside one: that keeps memory in proportion to the number in work.
sharp.concurrency(1);
sharp.cache(false);
// Only the decoders of what is stored; SVG, PDF and the rest would let strangers' bytes reach code nobody here asked for.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadJpeg',
    'VipsForeignLoadPng',
    'VipsForeignLoadWebp',
    'VipsForeignLoadHeif',
    'VipsForeignLoadNsgif',
  ],
});

/** Two pictures in work for every two cores. */
export const IN_WORK = Math.max(2, 2 * Math.floor(availableParallelism() / 2));

export interface RenderOptions {
  /** Where pictures wait for their turn. */
  readonly bounded: Bounded;
  /** Pixels of an input. A small file can unfold to a huge picture, so this is checked before it is unfolded. Default 40 million. */
  readonly maxPixels?: number;
  /** Seconds one picture may be in work. Default 60. */
  readonly workTime?: number;
}

export interface Clean {
  readonly bytes: Buffer;
  readonly kind: Kind;
  readonly width: number;
  readonly height: number;
}

export interface Renderer {
  /**
   * An upload as it is stored: turned the way EXIF says, in sRGB, without any metadata (places, names, cameras), the first picture of an
   * animation. JPEG, WebP and AVIF lose a little by being encoded anew; in return nothing of the client's file is served but its pixels.
   * Throws 415 for what is no picture by its bytes, 413 for too many pixels, 422 for a picture that ends early.
   */
  clean(path: string): Promise<Clean>;
  /** The wanted version of a stored picture. An aborted `signal` takes it out of the line. */
  render(path: string, wish: Wish, signal?: AbortSignal): Promise<Buffer>;
}

/** The longest side each format can hold, in pixels; for PNG, that libvips can. */
const HOLDS: Record<Kind, number> = {
  jpeg: 65_535,
  png: 10_000_000,
  webp: 16_383,
  avif: 16_384,
  gif: 65_535,
};
/** Qualities of what is stored; every other version is made of it. */
const KEEP: Partial<Record<Kind, number>> = { jpeg: 92, webp: 92, avif: 80 };

export function createRenderer({ bounded, maxPixels = 40_000_000, workTime = 60 }: RenderOptions): Renderer {
  // The first damage ends it, a warning does not: many cameras' files deserve one.
  const read = (path: string): Sharp =>
    sharp(path, { limitInputPixels: maxPixels, failOn: 'error' }).timeout({ seconds: workTime });
  return {
    async clean(path) {
      const kind = await kindOf(path);
      if (!kind)
        throw new Problem(
          415,
          'send a JPEG, PNG, WebP, AVIF or GIF; what counts are the bytes, not the name',
        );
      // Reading a header unfolds nothing, so here no limit keeps the size from being told.
      const header = await sharp(path, { limitInputPixels: false })
        .metadata()
        .catch(() => null);
      if (!header) throw damaged();
      const { width, height } = header;
      if (width * height > maxPixels || Math.max(width, height) > HOLDS[kind])
        throw new Problem(
          413,
          `${width} × ${height} pixels are more than ${maxPixels / 1e6} megapixels, or than ${HOLDS[kind]} a side`,
        );
      return bounded(async () => {
        const output = ENCODERS[kind](read(path).autoOrient().toColourspace('srgb'), KEEP[kind]);
        const made = await output.toBuffer({ resolveWithObject: true }).catch(() => null);
        if (!made) throw damaged();
        return { bytes: made.data, kind, width: made.info.width, height: made.info.height };
      });
    },
    render: (path, wish, signal) =>
      bounded(() => ENCODERS[wish.kind](sized(read(path), wish), wish.quality).toBuffer(), signal),
  };
}

/**
 * Two sides: exactly these (cover, contain) or within these (inside), larger or smaller than the original. One: the other follows in
 * proportion, within the largest side: else a strip a pixel wide could be blown up to thousands of megapixels. None: as stored, or as large as
 * the format can hold.
 */
function sized(picture: Sharp, { width, height, fit, kind }: Wish): Sharp {
  if (width === undefined && height === undefined)
    return picture.resize({
      width: HOLDS[kind],
      height: HOLDS[kind],
      fit: 'inside',
      withoutEnlargement: true,
    });
  if (width === undefined || height === undefined)
    return picture.resize({ width: width ?? MAX_SIDE, height: height ?? MAX_SIDE, fit: 'inside' });
  const background = kind === 'jpeg' ? '#fff' : { r: 255, g: 255, b: 255, alpha: 0 };
  return picture.resize({ width, height, fit, background });
}

const ENCODERS = {
  jpeg: (picture: Sharp, quality = 82) =>
    picture
      .flatten({ background: '#fff' })
      .jpeg({ quality, chromaSubsampling: quality < 90 ? '4:2:0' : '4:4:4' }),
  png: (picture: Sharp) => picture.png(),
  webp: (picture: Sharp, quality = 80) => picture.webp({ quality }),
  // Effort 2 of 9: the default takes seven times as long for a few per cent.
  avif: (picture: Sharp, quality = 55) => picture.avif({ quality, effort: 2 }),
  gif: (picture: Sharp) => picture.gif(),
} as const satisfies Record<Kind, (picture: Sharp, quality?: number) => Sharp>;

function damaged(): Problem {
  return new Problem(422, 'the picture is cut short or damaged; send it again');
}
