import sharp, { type Sharp, type ResizeOptions } from 'sharp';
import { Problem } from './errors.ts';
import { IMAGE_LIMITS, type ImageLimits } from './images-limits.ts';
import { processLine, type Line } from './images-line.ts';
import { sniff } from './images-sniff.ts';
import { LONGEST_SIDE, QUALITY, type Format, type StoredFormat, type Wish } from './images-wish.ts';

// One thread a picture, several pictures side by side: full use of the cores, and a bound on memory.
sharp.concurrency(1);
sharp.cache(false);
// Loaders that run other people's programs (SVG, PDF, ImageMagick's many) are not for strangers' bytes.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadJpeg',
    'VipsForeignLoadPng',
    'VipsForeignLoadWebp',
    'VipsForeignLoadNsgif',
    'VipsForeignLoadHeif',
  ],
});

/** Pixels of the longest side each format can hold. */
const LONGEST: Record<StoredFormat, number> = {
  jpeg: 65_535,
  // Its own limit is higher than that of libvips.
  png: 10_000_000,
  webp: 16_383,
  avif: 16_384,
  gif: 65_535,
};

/** What pictures are stored with: good enough that a size made of them looks as if made of the upload. */
const STORED_QUALITY = { jpeg: 92, webp: 92, avif: 80, png: null, gif: null } as const;

/** Makes the wanted picture, in its turn; `gone` gives the turn up. */
export function render(
  file: string,
  wish: Wish,
  format: Format,
  gone?: AbortSignal,
  line: Line = processLine,
  limits: ImageLimits = IMAGE_LIMITS,
): Promise<Buffer> {
  return line(async () => {
    const picture = sharp(file, { limitInputPixels: limits.maxPixels }).timeout({ seconds: limits.workTime });
    return encode((await seen(picture, wish)).resize(boxOf(wish, format)), format, wish.q).toBuffer();
  }, gone);
}

/** Pixels of a side that a picture may have when it is enlarged; libvips can count twice as many. */
const LONGEST_ENLARGED = 2 ** 24;

/** Of a strip that has to fill a box, what will be seen: all of it, enlarged, would be longer than libvips can count. */
async function seen(picture: Sharp, { w, h, fit }: Wish): Promise<Sharp> {
  if (w === null || h === null || fit !== 'cover') return picture;
  const { width, height } = await picture.metadata();
  const scale = Math.max(w / width, h / height);
  if (Math.max(width, height) * scale <= LONGEST_ENLARGED) return picture;
  const part = {
    width: Math.min(width, Math.ceil(w / scale)),
    height: Math.min(height, Math.ceil(h / scale)),
  };
  return picture.extract({
    left: Math.floor((width - part.width) / 2),
    top: Math.floor((height - part.height) / 2),
    ...part,
  });
}

/**
 * With both sides named, the sides are these (cover, contain) or at most these (inside), also when that is larger than the original. With one
 * named, the other follows, up to the longest that could be asked for: a strip of 1 × 40 million pixels must not be made 4096 wide. With none,
 * the size stays unless the format can't hold it.
 */
function boxOf({ w, h, fit }: Wish, format: Format): ResizeOptions {
  if (w === null && h === null)
    return { width: LONGEST[format], height: LONGEST[format], fit: 'inside', withoutEnlargement: true };
  return {
    width: w ?? LONGEST_SIDE,
    height: h ?? LONGEST_SIDE,
    fit: w === null || h === null ? 'inside' : fit,
    background: format === 'jpeg' ? '#fff' : { r: 255, g: 255, b: 255, alpha: 0 },
  };
}

export interface Sanitised {
  readonly bytes: Buffer;
  readonly format: StoredFormat;
  /** Pixels as seen. */
  readonly width: number;
  readonly height: number;
}

/**
 * What is stored of an upload: the pixels as they are seen (EXIF orientation applied, colours in sRGB), and nothing else of the file, so that no
 * place, name or camera goes out with it, nor a page hidden behind the last pixel. Lossy formats are encoded once more for that, at a quality
 * where nobody sees it. Of an animation the first picture. Throws UNSUPPORTED, TOO_LARGE or DAMAGED.
 */
export async function sanitise(
  file: string,
  line: Line = processLine,
  limits: ImageLimits = IMAGE_LIMITS,
): Promise<Sanitised> {
  const format = await sniff(file);
  if (!format)
    throw new Problem('UNSUPPORTED', 'send a JPEG, PNG, WebP, AVIF or GIF; the bytes decide, not the name');
  // The header alone may name any size; nothing is unfolded for it.
  const header = await sharp(file, { limitInputPixels: false })
    .metadata()
    .catch(() => null);
  if (!header) throw damaged();
  const { width, height } = header;
  if (width * height > limits.maxPixels || Math.max(width, height) > LONGEST[format])
    throw new Problem(
      'TOO_LARGE',
      `the picture has ${width} × ${height} pixels; ${limits.maxPixels / 1e6} megapixels is the most, and ${LONGEST[format]} a side`,
    );
  return line(async () => {
    // Warnings are let pass: cameras write files that are not quite right, and everybody shows them.
    const picture = sharp(file, { limitInputPixels: limits.maxPixels, failOn: 'error' })
      .timeout({ seconds: limits.workTime })
      .autoOrient()
      .toColourspace('srgb');
    const made = await encode(picture, format, STORED_QUALITY[format])
      .toBuffer({ resolveWithObject: true })
      .catch(() => null);
    if (!made) throw damaged();
    return { bytes: made.data, format, width: made.info.width, height: made.info.height };
  });
}

function damaged(): Problem {
  return new Problem('DAMAGED', 'the picture is cut short or damaged; send it again');
}

function encode(picture: Sharp, format: StoredFormat, quality: number | null): Sharp {
  switch (format) {
    case 'jpeg':
      return picture.flatten({ background: '#fff' }).jpeg({
        quality: quality ?? QUALITY.jpeg,
        chromaSubsampling: (quality ?? QUALITY.jpeg) >= 90 ? '4:4:4' : '4:2:0',
      });
    case 'png':
      return picture.png();
    case 'webp':
      return picture.webp({ quality: quality ?? QUALITY.webp });
    case 'avif':
      return picture.avif({ quality: quality ?? QUALITY.avif, effort: 2 });
    case 'gif':
      return picture.gif();
  }
}
