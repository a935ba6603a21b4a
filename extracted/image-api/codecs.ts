import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import sharp, { type Sharp } from 'sharp';
import { QUALITIES, type Kind } from './wish.ts';

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

/** One picture a core, and one more, which fills the time between two: the answer goes out, the next job comes in. */
export const IN_WORK = availableParallelism() + 1;

/** The longest side each format can hold, in pixels; for JPEG and PNG, that libjpeg and libvips can. */
export const HOLDS: Record<Kind, number> = {
  jpeg: 65_500,
  png: 10_000_000,
  webp: 16_383,
  avif: 16_384,
  gif: 65_535,
};

/** Raised by whoever changes what is made of a wish: qualities, efforts, how it is sized. What was made before is then made anew. */
const REVISION = 2;

/**
 * Tells what one encoder makes from what another does: what an older sharp or libvips made is not served. ETags do without it: shop and service, and each of their releases, have the
 * same one for the same wish, so that browsers keep what they have when they are diverted.
 */
export const ENCODER = createHash('sha256')
  .update(JSON.stringify([REVISION, sharp.versions]))
  .digest('hex')
  .slice(0, 8);

/**
 * Pixels above which a picture is written with an eye on memory. Of 36 megapixels libjpeg keeps 440 MB to choose its codes by, and 30 MB without choosing, in a third of the time, for
 * files a few per cent larger; an AVIF of 17 megapixels takes 560 MB with all of its colours and 360 MB with a quarter of them.
 */
export const LARGE = 4_000_000;

/** How each kind is written. `pixels`: of the output, as far as they are known. */
export const ENCODERS = {
  jpeg: (picture: Sharp, quality = QUALITIES.jpeg, pixels = Infinity) =>
    picture.flatten({ background: '#fff' }).jpeg({
      quality,
      chromaSubsampling: quality < 90 ? '4:2:0' : '4:4:4',
      optimiseCoding: pixels <= LARGE,
    }),
  png: (picture: Sharp) => picture.png(),
  webp: (picture: Sharp, quality = QUALITIES.webp) => picture.webp({ quality }),
  avif: (picture: Sharp, quality = QUALITIES.avif, pixels = Infinity) =>
    picture.avif({
      quality,
      effort: avifEffort(pixels),
      chromaSubsampling: pixels <= LARGE ? '4:4:4' : '4:2:0',
    }),
  gif: (picture: Sharp) => picture.gif(),
} as const satisfies Record<Kind, (picture: Sharp, quality?: number, pixels?: number) => Sharp>;

/**
 * Of 9. Above a few thousand pixels 2 takes up to 4.4 times the CPU of WebP and 1 at most 3.1, for files of the same size (decision 018 has the figures);
 * the default, 4, takes up to thirty times.
 */
export function avifEffort(pixels: number): number {
  return pixels <= 4096 ? 2 : 1;
}
