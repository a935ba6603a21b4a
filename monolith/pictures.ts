import sharp from 'sharp';
import { roomWith, type Still, type View } from './still-life.ts';

/** Computed at this size and enlarged: a lens is not sharper either. */
const RENDERED = { width: 640, height: 480 };
const SIZE = { width: 1200, height: 900 };
/** Contrast between neighbours, of 1, above which an edge is looked at more closely. */
const EDGE = 0.06;
/** Light above this is white. */
const BRIGHTEST = 8;

/** A photograph of a product which nobody had to take: JPEG, 1200 × 900 pixels, the same bytes every time. */
export async function photograph(still: Still, view: View): Promise<Buffer> {
  const pixels = develop(still, view);
  addGrain(pixels);
  return sharp(pixels, { raw: { ...RENDERED, channels: 3 } })
    .resize({ ...SIZE, kernel: 'lanczos3' })
    .jpeg({ quality: 88 })
    .toBuffer();
}

function develop(still: Still, view: View): Buffer {
  const { width, height } = RENDERED;
  const shade = roomWith(still, view);
  const light = new Float64Array(3);
  const print = new Float32Array(width * height * 3);
  const kind = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      kind[at] = shade((x + 0.5 - width / 2) / height, (height / 2 - y - 0.5) / height, light) ? 1 : 0;
      for (let c = 0; c < 3; c++) print[at * 3 + c] = film(light[c]!);
    }
  const differ = (a: number, b: number): boolean =>
    kind[a] !== kind[b] || Math.abs(print[a * 3 + 1]! - print[b * 3 + 1]!) > EDGE;

  const pixels = Buffer.alloc(width * height * 3);
  const sum = new Float64Array(3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      for (let c = 0; c < 3; c++) sum[c] = print[at * 3 + c]!;
      if (
        (x > 0 && differ(at, at - 1)) ||
        (y > 0 && differ(at, at - width)) ||
        (x < width - 1 && differ(at, at + 1)) ||
        (y < height - 1 && differ(at, at + width))
      ) {
        // Four looks instead of one, in a turned square: the steps of slanted edges go.
        sum.fill(0);
        for (const [ox, oy] of LOOKS) {
          shade((x + ox - width / 2) / height, (height / 2 - y - oy) / height, light);
          for (let c = 0; c < 3; c++) sum[c] = sum[c]! + film(light[c]!) / LOOKS.length;
        }
      }
      const dark = vignette((x / width - 0.5) * 2, (y / height - 0.5) * 2);
      for (let c = 0; c < 3; c++) pixels[at * 3 + c] = 255 * dark * sum[c]! + 0.5;
    }
  return pixels;
}

const LOOKS = [
  [0.375, 0.125],
  [0.875, 0.375],
  [0.125, 0.625],
  [0.625, 0.875],
] as const;

/** From linear light to a print: bright parts roll off instead of burning out (K. Narkowicz's fit of the ACES curve), then sRGB's gamma. */
const FILM = Float32Array.from({ length: 4096 }, (_, i) => {
  // Indexed by the square root, for the dark parts need the finer steps.
  const x = (i / 4095) ** 2 * BRIGHTEST * 0.82;
  return Math.min(1, (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14)) ** (1 / 2.2);
});

function film(light: number): number {
  return FILM[(Math.sqrt(light < BRIGHTEST ? light / BRIGHTEST : 1) * 4095 + 0.5) | 0]!;
}

function vignette(x: number, y: number): number {
  const square = x * x + y * y;
  return 1 - 0.06 * square - 0.03 * square * square;
}

/** Fine noise, brightness only; from a fixed start, so that the picture stays the same. */
function addGrain(pixels: Buffer): void {
  let state = 12345;
  for (let i = 0; i < pixels.length; i += 3) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const first = state >>> 24;
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const speck = (first + (state >>> 24) - 255) / 48;
    for (let c = 0; c < 3; c++)
      pixels[i + c] = Math.min(255, Math.max(0, Math.round(pixels[i + c]! + speck)));
  }
}
