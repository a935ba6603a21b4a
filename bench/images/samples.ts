import sharp, { type Sharp } from 'sharp';

/**
 * Pictures like those of a camera and of a screen, made on the spot and the same each time: a gradient, discs, and noise as a sensor has it. `seed`:
 * another one gives other bytes of the same nature and size.
 */
export function sample(width: number, height: number, noise: number, seed = 1): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  let state = seed;
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const grain = ((state >>> 24) - 128) * noise;
      const [dx, dy] = [(x % 640) - 320, (y % 480) - 240];
      const disc = dx * dx + dy * dy < 30_000 ? 60 : 0;
      pixels[at++] = clamp(40 + (150 * x) / width + disc + grain);
      pixels[at++] = clamp(30 + (150 * y) / height + grain);
      pixels[at++] = clamp(90 + (80 * (x + y)) / (width + height) - disc + grain);
    }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

const clamp = (value: number): number => Math.max(0, Math.min(255, Math.round(value)));

/** 12 megapixels of a camera, some 4 MB. */
export const photo = (seed?: number): Promise<Buffer> =>
  sample(4000, 3000, 0.11, seed).jpeg({ quality: 90 }).toBuffer();
/** 2 megapixels of a screen. */
export const screen = (seed?: number): Promise<Buffer> => sample(1920, 1080, 0.02, seed).png().toBuffer();
/** 4 megapixels of the web. */
export const webPicture = (seed?: number): Promise<Buffer> =>
  sample(2400, 1700, 0.06, seed).webp({ quality: 85, effort: 2 }).toBuffer();
/** A PNG of `megabytes` MB that nothing can be saved of. */
export function noisy(megabytes: number): Promise<Buffer> {
  const side = Math.floor(Math.sqrt((megabytes * 1e6) / 3)) - 4;
  return sample(side, side, 1).png({ compressionLevel: 0 }).toBuffer();
}
