import sharp, { type Sharp } from 'sharp';

/** Pictures for tests, made on the spot: a gradient with a red corner at the upper left, so that turning and mirroring show. */
export async function photo(width: number, height: number): Promise<Buffer> {
  return (await drawing(width, height)).jpeg({ quality: 95 }).toBuffer();
}

export async function drawing(width: number, height: number): Promise<Sharp> {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isCorner = x < width / 4 && y < height / 4;
      pixels.set(
        isCorner ? [250, 10, 10] : [40, Math.round((x / width) * 200), Math.round((y / height) * 200)],
        (y * width + x) * 3,
      );
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** True when the corner is at the upper left, where it was drawn. */
export async function isUpright(bytes: Buffer): Promise<boolean> {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number): boolean => {
    const offset = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels;
    return data[offset]! > 180 && data[offset + 1]! < 90;
  };
  return at(0.1, 0.1) && !at(0.9, 0.1) && !at(0.1, 0.9) && !at(0.9, 0.9);
}

/** Mean difference of two pictures a channel, 0 to 255; the two must have one size. */
export async function difference(a: Buffer, b: Buffer): Promise<number> {
  const [one, other] = await Promise.all([a, b].map((bytes) => sharp(bytes).removeAlpha().raw().toBuffer()));
  if (one!.length !== other!.length) return 255;
  let sum = 0;
  for (let i = 0; i < one!.length; i++) sum += Math.abs(one![i]! - other![i]!);
  return sum / one!.length;
}
