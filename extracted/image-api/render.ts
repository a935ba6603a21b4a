import { availableParallelism } from 'node:os';
import sharp, { type Sharp } from 'sharp';
import type { Bounded } from './bounded.ts';
import { Problem } from './problem.ts';
import { isKind, type Kind, type Wish } from './wish.ts';

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
/** Pixels of an input. A small file can unfold to a huge picture, so this is checked before it is unfolded. */
export const MAX_PIXELS = 40_000_000;

export interface Clean {
  readonly bytes: Buffer;
  readonly kind: Kind;
  readonly width: number;
  readonly height: number;
}

/**
 * An upload as it is stored: turned the way EXIF says, in sRGB, without any metadata (places, names, cameras), the first picture of an
 * animation. Throws 415 for what is no picture by its bytes, 413 for too many pixels, 422 for a picture that ends early.
 */
export async function clean(path: string, bounded: Bounded): Promise<Clean> {
  const input = sharp(path, { limitInputPixels: MAX_PIXELS, failOn: 'truncated' });
  // Reading a header unfolds nothing, so here no limit keeps the size from being told.
  const header = await sharp(path, { limitInputPixels: false })
    .metadata()
    .catch(() => null);
  const name = header?.format === 'heif' ? (header.compression === 'av1' ? 'avif' : 'heic') : header?.format;
  if (!header || !name || !isKind(name))
    throw new Problem(415, 'send a JPEG, PNG, WebP, AVIF or GIF; what counts are the bytes, not the name');
  if (header.width * header.height > MAX_PIXELS)
    throw new Problem(
      413,
      `${header.width} × ${header.height} pixels are more than ${MAX_PIXELS / 1e6} megapixels`,
    );
  return bounded(async () => {
    const output = encoded(
      input.autoOrient().toColourspace('srgb'),
      name,
      name === 'jpeg' || name === 'webp' ? 92 : undefined,
    );
    const made = await output.toBuffer({ resolveWithObject: true }).catch(() => null);
    if (!made) throw new Problem(422, 'the picture is cut short or damaged; send it again');
    return { bytes: made.data, kind: name, width: made.info.width, height: made.info.height };
  });
}

/** The wanted version of a stored picture; its sides are what was asked for, larger or smaller than the original. */
export function render(path: string, wish: Wish): Promise<Buffer> {
  const picture = sharp(path, { limitInputPixels: MAX_PIXELS });
  const { width, height, fit, kind } = wish;
  const background = kind === 'jpeg' ? '#fff' : { r: 255, g: 255, b: 255, alpha: 0 };
  if (width !== undefined || height !== undefined)
    picture.resize({
      ...(width === undefined ? {} : { width }),
      ...(height === undefined ? {} : { height }),
      fit,
      background,
    });
  return encoded(picture, kind, wish.quality).toBuffer();
}

const ENCODERS = {
  jpeg: (picture: Sharp, quality = 82) => picture.flatten({ background: '#fff' }).jpeg({ quality }),
  png: (picture: Sharp) => picture.png(),
  webp: (picture: Sharp, quality = 80) => picture.webp({ quality }),
  // Effort 2 of 9: the default takes seven times as long for a few per cent.
  avif: (picture: Sharp, quality = 55) => picture.avif({ quality, effort: 2 }),
  gif: (picture: Sharp) => picture.gif(),
} as const satisfies Record<Kind, (picture: Sharp, quality?: number) => Sharp>;

function encoded(picture: Sharp, kind: Kind, quality: number | undefined): Sharp {
  return ENCODERS[kind](picture, quality);
}
