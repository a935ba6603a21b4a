import type { Metadata } from 'sharp';
import { LARGE } from './codecs.ts';

/** What is known of a picture before it is unfolded: of sharp's metadata as much. */
export type Header = Pick<Metadata, 'width' | 'height'> &
  Partial<Pick<Metadata, 'format' | 'channels' | 'depth' | 'isProgressive'>>;

/** What is made of it. */
export interface Made {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly kind: string;
}

/** Bytes that every picture in work takes, however small it is: buffers, tables, the thread's stack. */
const BASE = 2 * 2 ** 20;
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
 * Bytes that one picture in work needs at most, estimated: of the input, wholly where its format unfolds it wholly (WebP, AVIF, GIF, interlaced PNG,
 * and progressive JPEG, whose coefficients are two bytes each), else a few hundred lines; and what the encoder of the output keeps.
 */
export function weightOf(header: Header, made: Made): number {
  const pixels = made.width * made.height;
  const [small, large] = ENCODING[made.kind] ?? [34, 34];
  return BASE + inputWeight(header) + pixels * (pixels <= LARGE ? small : large);
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
