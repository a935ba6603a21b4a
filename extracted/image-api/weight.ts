import type { Metadata } from 'sharp';
import { LARGE } from './codecs.ts';

/** What is known of a picture before it is unfolded: of sharp's metadata as much. */
export type Header = Pick<Metadata, 'width' | 'height'> &
  Partial<Pick<Metadata, 'format' | 'channels' | 'depth' | 'isProgressive'>>;

/** What is needed of it: metadata has profiles too. */
export function headerOf({ width, height, format, channels, depth, isProgressive }: Metadata): Header {
  return { width, height, format, channels, depth, isProgressive };
}

/** What is made of it. */
export interface Made {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly kind: string;
}

/** Bytes that every picture in work takes, however small it is: buffers, tables, the thread's stack. */
const BASE = 2 * 2 ** 20;
/**
 * Bytes for a pixel of an AVIF that is decoded, to whatever size: planes of colour in libaom and in libheif, and what libheif makes of them. Peaks of RSS, of 12 and 24 megapixels
 * (libheif 1.23, libaom 3.15, libvips 8.18): 15.9 and 15.5 with a quarter of the colours, 19.0 and 18.6 with all of them or with transparency. Encoded anew as
 * AVIF, 24.8 without and 44.5 with transparency; as WebP, 19.3 and 41.3.
 */
const AVIF = 19;
/** Lines of a picture that are kept while it is read from top to bottom. */
const LINES = 256;
/**
 * Bytes for a pixel of the output, up to `LARGE` and above, measured with noise. PNG writes as lines come, and JPEG where it does not choose its codes; the others
 * see the whole picture before they write.
 */
const ENCODING: Readonly<Record<string, readonly [number, number]>> = {
  jpeg: [12, 2],
  png: [2, 2],
  webp: [14, 14],
  avif: [34, 24],
  gif: [12, 12],
};

/**
 * Bytes that one picture in work needs at most, estimated: of the input, wholly where its format unfolds it wholly (AVIF, WebP, GIF, interlaced PNG,
 * and progressive JPEG, whose coefficients are two bytes each), else a few hundred lines; and what the encoder of the output keeps.
 */
export function weightOf(header: Header, made: Made): number {
  const pixels = made.width * made.height;
  const [small, large] = ENCODING[made.kind] ?? [34, 34];
  const output = pixels * (pixels <= LARGE ? small : large);
  const input = inputWeight(header);
  if (header.format !== 'heif') return BASE + input + output;
  const unfolding = AVIF * header.width * header.height;
  // Of an opaque one this is given back before anything is written; with transparency it is not.
  return BASE + (header.channels === 3 ? Math.max(unfolding, input + output) : unfolding + output);
}

function inputWeight({ width, height, format, channels = 4, depth, isProgressive }: Header): number {
  const line = width * channels * (DEPTHS[depth ?? ''] ?? 1);
  const lines = Math.min(LINES, height) * line;
  switch (format) {
    case 'jpeg':
      return isProgressive ? 2 * width * channels * height + lines : lines;
    case 'png':
      return isProgressive ? line * height : lines;
    default:
      // What the decoder keeps beside the pixels it gives (planes of colour, the frame before) is half as much again.
      return 1.5 * line * height;
  }
}

const DEPTHS: Readonly<Record<string, number>> = { ushort: 2, short: 2, uint: 4, int: 4, float: 4 };
