import type sharp from 'sharp';
import type { Sharp } from 'sharp';
import type { Findings } from './difference.ts';
import { distance, shiftOf, type Plane } from './pixels.ts';

type Decoder = typeof sharp;

/** Most pixels a picture may have to be compared: what decodes it needs memory for them. */
const MAX_PIXELS = 50_000_000;
/** Side of the middle part in which a shift is looked for, at full resolution. */
const PART = 1536;
/** Longest side at which the pictures are laid over each other. */
const OVERLAY = 256;

let decoder: Promise<Decoder | null> | undefined;

/** The package that decodes pictures, loaded when the first one comes; null when it isn't installed (it is optional). */
async function loaded(): Promise<Decoder | null> {
  return await (decoder ??= import('sharp').then(
    ({ default: found }) => {
      // One picture at a time on one thread: the other cores belong to the data path.
      found.concurrency(1);
      found.cache(false);
      return found;
    },
    () => null,
  ));
}

/** Opens a picture; SVG, which can be a program, is none. */
async function open(body: Uint8Array): Promise<Sharp> {
  const found = (await loaded())!;
  return found(body, { limitInputPixels: MAX_PIXELS, failOn: 'error', sequentialRead: true });
}

/**
 * Compares two pictures as people see them: type, size, orientation, whether one is shifted, and how far the colours are apart. Answers
 * why they can't be compared, or null.
 */
export async function compareImage(
  primary: Uint8Array,
  shadow: Uint8Array,
  maxDistance: number,
  findings: Findings,
): Promise<string | null> {
  if (findings.places.has('body')) {
    findings.masked++;
    return null;
  }
  findings.compared++;
  if (Buffer.compare(primary, shadow) === 0) return null;
  if ((await loaded()) === null)
    return 'pictures are compared with the package sharp, which is not installed';
  let heads;
  try {
    heads = await Promise.all([primary, shadow].map(headOf));
  } catch (error) {
    // Broken on both sides alike would have been the same bytes; broken on one side is what a user sees.
    return await brokenSide(primary, shadow, findings, error);
  }
  const [one, other] = heads as [Head, Head];
  for (const name of ['type', 'width', 'height', 'orientation'] as const)
    if (one[name] !== other[name])
      findings.add({ kind: 'image', where: `image ${name}`, primary: one[name], shadow: other[name] });
  if (one.width !== other.width || one.height !== other.height) return null;
  try {
    await compareLook(primary, shadow, one, maxDistance, findings);
  } catch (error) {
    return await brokenSide(primary, shadow, findings, error);
  }
  return null;
}

async function compareLook(
  primary: Uint8Array,
  shadow: Uint8Array,
  size: { readonly width: number; readonly height: number },
  maxDistance: number,
  findings: Findings,
): Promise<void> {
  const apart = distance(await overlay(primary), await overlay(shadow));
  if (apart > maxDistance)
    return findings.add({ kind: 'image', where: 'image distance', primary: 0, shadow: rounded(apart) });
  const shift = shiftOf(await part(primary, size), await part(shadow, size));
  if (shift !== null)
    findings.add({
      kind: 'image',
      where: 'image shift',
      primary: '0, 0',
      shadow: `${shift.x.toFixed(1)}, ${shift.y.toFixed(1)}`,
    });
}

interface Head {
  readonly type: string;
  readonly width: number;
  readonly height: number;
  /** EXIF, 1 to 8; 1 when nothing is said. */
  readonly orientation: number;
}

async function headOf(body: Uint8Array): Promise<Head> {
  const { format, width, height, orientation, compression } = await (await open(body)).metadata();
  if (format === 'svg') throw new Error('SVG is not compared');
  const type = format === 'heif' ? `${format} ${compression ?? ''}` : format;
  return { type, width, height, orientation: orientation ?? 1 };
}

async function brokenSide(
  primary: Uint8Array,
  shadow: Uint8Array,
  findings: Findings,
  error: unknown,
): Promise<string | null> {
  const isWhole = await Promise.all([primary, shadow].map(isReadable));
  if (isWhole[0] === isWhole[1]) return `the pictures can't be read: ${String(error).slice(0, 200)}`;
  const told = (ok: boolean): string => (ok ? 'can be read' : "can't be read");
  findings.add({ kind: 'image', where: 'image', primary: told(isWhole[0]!), shadow: told(isWhole[1]!) });
  return null;
}

async function isReadable(body: Uint8Array): Promise<boolean> {
  try {
    await (await open(body)).stats();
    return true;
  } catch {
    return false;
  }
}

/** The whole picture, small, in colour; what is transparent lies on grey. */
async function overlay(body: Uint8Array): Promise<Plane> {
  const { data, info } = await (
    await open(body)
  )
    .flatten({ background: '#808080' })
    .toColourspace('srgb')
    .resize(OVERLAY, OVERLAY, { fit: 'inside', withoutEnlargement: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels };
}

/** The middle at full resolution, in grey. */
async function part(body: Uint8Array, size: { width: number; height: number }): Promise<Plane> {
  const width = Math.min(PART, size.width);
  const height = Math.min(PART, size.height);
  const left = Math.floor((size.width - width) / 2);
  const top = Math.floor((size.height - height) / 2);
  const { data, info } = await (
    await open(body)
  )
    .extract({ left, top, width, height })
    .flatten({ background: '#808080' })
    .greyscale()
    // Soft edges have a slope that can be measured, and grain is mostly gone.
    .blur(1.5)
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels };
}

/** Pictures of a mismatch for people: both sides and what differs, as PNG of at most `side` pixels; null when one can't be read. */
export async function thumbnails(
  primary: Uint8Array,
  shadow: Uint8Array,
  side: number,
): Promise<{ primary: Uint8Array; shadow: Uint8Array; difference: Uint8Array } | null> {
  const decode = await loaded();
  if (decode === null) return null;
  try {
    const small = async (body: Uint8Array): Promise<Buffer> =>
      (await open(body))
        .autoOrient()
        .resize(side, side, { fit: 'inside', withoutEnlargement: true })
        .png()
        .toBuffer();
    const [one, other] = await Promise.all([small(primary), small(shadow)]);
    const { width, height } = await decode(one).metadata();
    const under = await decode(one).flatten({ background: '#808080' }).removeAlpha().png().toBuffer();
    const over = await decode(other)
      .resize(width, height, { fit: 'fill' })
      .flatten({ background: '#808080' })
      .removeAlpha()
      .png()
      .toBuffer();
    const difference = await decode(under)
      .composite([{ input: over, blend: 'difference' }])
      .removeAlpha()
      .linear(4, 0)
      .png()
      .toBuffer();
    return { primary: one!, shadow: other!, difference };
  } catch {
    return null;
  }
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;
