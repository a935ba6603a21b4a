import { availableParallelism } from 'node:os';
import sharp, { type FitEnum, type OutputInfo, type Sharp } from 'sharp';
import { Problem } from './errors.ts';

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

/** Pixels an uploaded picture may have. */
export const MAX_PIXELS = 40_000_000;
const WAITING = 64;
const LONGEST_WAIT = 10_000;

const TYPES = { jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp', avif: 'image/avif' } as const;
export type Format = keyof typeof TYPES;
const STORED = { ...TYPES, gif: 'image/gif' } as const;
export type StoredFormat = keyof typeof STORED;

export interface Wish {
  readonly w: number | null;
  readonly h: number | null;
  readonly fit: 'cover' | 'contain' | 'inside';
  readonly format: Format | 'auto' | null;
  readonly q: number | null;
}

const FITS = ['cover', 'contain', 'inside'] as const satisfies readonly (keyof FitEnum)[];

/** The parameters of `GET /images/{id}`. Unknown, repeated or out-of-range ones are refused by name; null: the picture as it is. */
export function readWish(query: URLSearchParams): Wish | null {
  const known = ['w', 'h', 'fit', 'format', 'q'];
  for (const name of query.keys()) {
    if (!known.includes(name))
      throw new Problem('BAD_REQUEST', `${name} is not a parameter; there are ${known.join(', ')}`);
    if (query.getAll(name).length > 1) throw new Problem('BAD_REQUEST', `${name} is given more than once`);
  }
  if (query.size === 0) return null;
  const w = whole(query, 'w', 4096);
  const h = whole(query, 'h', 4096);
  const fit = oneOf(query, 'fit', FITS);
  return {
    w,
    h,
    fit: fit ?? (w !== null && h !== null ? 'cover' : 'inside'),
    format: oneOf(query, 'format', ['jpeg', 'png', 'webp', 'avif', 'auto']),
    q: whole(query, 'q', 100),
  };
}

function whole(query: URLSearchParams, name: string, maximum: number): number | null {
  const text = query.get(name);
  if (text === null) return null;
  if (!/^[1-9]\d{0,3}$/.test(text) || Number(text) > maximum)
    throw new Problem('BAD_REQUEST', `${name} is a whole number from 1 to ${maximum}`);
  return Number(text);
}

function oneOf<T extends string>(query: URLSearchParams, name: string, values: readonly T[]): T | null {
  const text = query.get(name);
  if (text === null) return null;
  const value = values.find((each) => each === text);
  if (!value) throw new Problem('BAD_REQUEST', `${name} is one of ${values.join(', ')}`);
  return value;
}

/** `auto` is WebP for whoever takes it, else the stored kind: AVIF would be smaller still, but costs ten times the time to make. */
export function chosenFormat(wish: Wish, stored: StoredFormat, accept: string): Format {
  if (wish.format === 'auto')
    return /\bimage\/webp\b/.test(accept) ? 'webp' : stored === 'png' ? 'png' : 'jpeg';
  return wish.format ?? (stored === 'gif' ? 'png' : stored);
}

export function contentType(format: StoredFormat): string {
  return STORED[format];
}

/** Makes the wanted picture. Sizes are what was asked for, also when that is larger than the original. */
export async function render(
  file: string,
  wish: Wish,
  format: Format,
  isGone: () => boolean,
): Promise<Buffer> {
  return bounded(isGone, async () => {
    const picture = sharp(file, { limitInputPixels: MAX_PIXELS });
    if (wish.w !== null || wish.h !== null)
      picture.resize({
        ...(wish.w === null ? {} : { width: wish.w }),
        ...(wish.h === null ? {} : { height: wish.h }),
        fit: wish.fit,
        background: format === 'jpeg' ? '#fff' : { r: 255, g: 255, b: 255, alpha: 0 },
      });
    return encode(picture, format, wish.q).toBuffer();
  });
}

/**
 * What is stored of an upload: the pixels as they are seen (EXIF orientation applied, colours in sRGB), and nothing else of the file, so that no
 * place, name or camera goes out with it. Of an animation the first picture. Throws what the client did wrong.
 */
export async function sanitise(
  file: string,
): Promise<{ bytes: Buffer; format: StoredFormat; width: number; height: number }> {
  const picture = sharp(file, { limitInputPixels: MAX_PIXELS, failOn: 'truncated' });
  // The header alone may name any size; nothing is unfolded for it.
  const found = await sharp(file, { limitInputPixels: false })
    .metadata()
    .catch(() => null);
  const format = found?.format === 'heif' && found.compression === 'av1' ? 'avif' : found?.format;
  if (!found || !format || !Object.hasOwn(STORED, format))
    throw new Problem('UNSUPPORTED', 'send a JPEG, PNG, WebP, AVIF or GIF; the bytes decide, not the name');
  if (found.width * found.height > MAX_PIXELS)
    throw new Problem(
      'TOO_LARGE',
      `the picture has ${found.width} × ${found.height} pixels; ${MAX_PIXELS / 1e6} megapixels is the most`,
    );
  const stored = format as StoredFormat;
  try {
    const { data, info } = await bounded<{ data: Buffer; info: OutputInfo }>(
      () => false,
      () =>
        encode(
          picture.autoOrient().toColourspace('srgb'),
          stored,
          stored === 'jpeg' || stored === 'webp' ? 92 : null,
        ).toBuffer({ resolveWithObject: true }),
    );
    return { bytes: data, format: stored, width: info.width, height: info.height };
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem('DAMAGED', 'the picture is cut short or damaged; send it again');
  }
}

function encode(picture: Sharp, format: StoredFormat, quality: number | null): Sharp {
  switch (format) {
    case 'jpeg':
      return picture.flatten({ background: '#fff' }).jpeg({ quality: quality ?? 82 });
    case 'png':
      return picture.png();
    case 'webp':
      return picture.webp({ quality: quality ?? 80 });
    case 'avif':
      return picture.avif({ quality: quality ?? 55, effort: 2 });
    case 'gif':
      return picture.gif();
  }
}

const slots = Math.max(2, 2 * Math.floor(availableParallelism() / 2));
let running = 0;
const line: { readonly since: number; isGone(): boolean; start(problem?: Problem): void }[] = [];

/** Two pictures in work for every two cores; the next wait in line, and when the line is full or slow, they are told to come back. */
async function bounded<T>(isGone: () => boolean, work: () => Promise<T>): Promise<T> {
  if (running >= slots) {
    if (line.length >= WAITING) throw new Problem('BUSY', 'too many pictures are being made', 1);
    await new Promise<void>((start, refuse) =>
      line.push({ since: Date.now(), isGone, start: (problem) => (problem ? refuse(problem) : start()) }),
    );
  } else running += 1;
  try {
    return await work();
  } finally {
    next();
  }
}

/** Hands the free slot to the first in line who still wants it; with nobody left it is given back. */
function next(): void {
  for (let first = line.shift(); first; first = line.shift()) {
    if (!first.isGone() && Date.now() - first.since <= LONGEST_WAIT) return first.start();
    first.start(new Problem('BUSY', 'the line did not move fast enough', 1));
  }
  running -= 1;
}
