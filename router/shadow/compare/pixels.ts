/** Decoded pixels, row by row, one byte a channel. */
export interface Plane {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** Side of the squares whose mean colours are compared: below it lies what encoders throw away. */
const SQUARE = 8;

/**
 * How far two pictures of one size are apart, from 0 (the same) to 1: the most that a small square differs in, or four times what the whole
 * differs in on average, whichever is more. Measured on squares of 8 × 8, for encoders differ in single pixels and are meant to.
 */
export function distance(one: Plane, other: Plane): number {
  if (one.width !== other.width || one.height !== other.height) return 1;
  let most = 0;
  let sum = 0;
  let count = 0;
  for (let top = 0; top < one.height; top += SQUARE) {
    for (let left = 0; left < one.width; left += SQUARE) {
      const apart = squareDistance(one, other, left, top);
      most = Math.max(most, apart);
      sum += apart;
      count++;
    }
  }
  return Math.min(1, Math.max(most, (4 * sum) / count) / 255);
}

/** Mean difference of a square's colour, the channel that differs most. */
function squareDistance(one: Plane, other: Plane, left: number, top: number): number {
  const right = Math.min(left + SQUARE, one.width);
  const bottom = Math.min(top + SQUARE, one.height);
  const channels = Math.min(one.channels, other.channels, 3);
  let most = 0;
  for (let channel = 0; channel < channels; channel++) {
    let sum = 0;
    for (let y = top; y < bottom; y++)
      for (let x = left; x < right; x++)
        sum +=
          one.data[(y * one.width + x) * one.channels + channel]! -
          other.data[(y * other.width + x) * other.channels + channel]!;
    most = Math.max(most, Math.abs(sum) / ((right - left) * (bottom - top)));
  }
  return most;
}

/** Most steps in which a shift is closed in on, so about the furthest that is found, in pixels. */
const STEPS = 8;
/** Shifts below it come from where encoders and resizers put the middle of a pixel. */
const SHIFTED = 0.6;
/** A shift must stand out so many times over what the pictures differ in anyway. */
const SIGNIFICANT = 5;
/** Pixels that err together: neighbours in a block of an encoder. */
const TOGETHER = 64;

/**
 * How far the second picture is shifted, in pixels; null when it isn't. A shift by one pixel of a soft picture changes less than an encoder does, so it
 * can't be told by how far the pictures are apart. But it changes each pixel by the slope of the picture there, and an encoder's loss has
 * nothing to do with the slope: the shift is the regression of the change on the slope (Lucas and Kanade, "An Iterative Image Registration
 * Technique", 1981). A difference in brightness is taken out first, for on an even slope it looks the same.
 */
export function shiftOf(one: Plane, other: Plane): { x: number; y: number } | null {
  if (one.width !== other.width || one.height !== other.height) return null;
  const margin = Math.min(STEPS + 1, Math.floor(Math.min(one.width, one.height) / 8));
  if (margin < 2) return null;
  const limited = (move: number): number => Math.max(1 - margin, Math.min(margin - 1, move));
  let moved = { x: 0, y: 0 };
  let last = slopeFit(one, other, 0, 0, margin);
  for (let step = 0; step < STEPS && last !== null; step++) {
    const x = limited(moved.x + Math.round(last.x));
    const y = limited(moved.y + Math.round(last.y));
    if (x === moved.x && y === moved.y) break;
    moved = { x, y };
    last = slopeFit(one, other, x, y, margin);
  }
  if (last === null) return null;
  const shift = { x: moved.x + last.x, y: moved.y + last.y };
  const stands = (by: number, error: number): boolean =>
    Math.abs(by) > SHIFTED && Math.abs(by) > SIGNIFICANT * error;
  return stands(shift.x, last.errorX) || stands(shift.y, last.errorY) ? shift : null;
}

/**
 * Least squares of (second picture, moved, less first) on the first one's slopes, over all pixels but a frame of `margin`. Answers the shift that is left and
 * its standard errors; null when the slope is the same everywhere and nothing can be told.
 */
function slopeFit(
  one: Plane,
  other: Plane,
  moveX: number,
  moveY: number,
  margin: number,
): { x: number; y: number; errorX: number; errorY: number } | null {
  const { width, height, data, channels } = one;
  let [n, sx, sy, sd, sxx, syy, sxy, sxd, syd, sdd] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let row = margin; row < height - margin; row++) {
    for (let column = margin; column < width - margin; column++) {
      const at = (row * width + column) * channels;
      const gx = (data[at + channels]! - data[at - channels]!) / 2;
      const gy = (data[at + width * channels]! - data[at - width * channels]!) / 2;
      const there = ((row + moveY) * width + column + moveX) * other.channels;
      const d = data[at]! - other.data[there]!;
      n++;
      sx += gx;
      sy += gy;
      sd += d;
      sxx += gx * gx;
      syy += gy * gy;
      sxy += gx * gy;
      sxd += gx * d;
      syd += gy * d;
      sdd += d * d;
    }
  }
  const [xx, yy, xy] = [sxx - (sx * sx) / n, syy - (sy * sy) / n, sxy - (sx * sy) / n];
  const [xd, yd, dd] = [sxd - (sx * sd) / n, syd - (sy * sd) / n, sdd - (sd * sd) / n];
  const determinant = xx * yy - xy * xy;
  if (determinant <= 1e-6 * xx * yy || xx === 0 || yy === 0) return null;
  const x = (xd * yy - yd * xy) / determinant;
  const y = (yd * xx - xd * xy) / determinant;
  const left = Math.max(0, dd - x * xd - y * yd);
  const variance = (left / n) * TOGETHER;
  return {
    x,
    y,
    errorX: Math.sqrt((variance * yy) / determinant),
    errorY: Math.sqrt((variance * xx) / determinant),
  };
}
