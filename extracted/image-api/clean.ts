import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import sharp, { type Metadata, type Sharp } from 'sharp';
import type { Arrived } from './blobs.ts';
import type { Bounded } from './bounded.ts';
import { ENCODERS, HOLDS } from './codecs.ts';
import { MOST_SCANS } from './jpeg-scans.ts';
import { isWhole, type Parts, type Walked } from './parts.ts';
import { damaged, noSpace, Problem } from './problem.ts';
import type { Received } from './upload.ts';
import { headerOf, weightOf, type Header } from './weight.ts';
import type { Kind } from './wish.ts';

export interface CleanOptions {
  /** Where uploads wait for their turn. */
  readonly bounded: Bounded;
  /** Pixels of an upload. A small file can unfold to a huge picture, so this is checked before it is unfolded. Default 40 million. */
  readonly maxPixels?: number;
  /** Milliseconds one picture may be in work. Default 20 s. */
  readonly workTime?: number;
}

/** An upload as it is stored, in a file that who stores it may take away. */
export interface Cleaned extends Arrived {
  /** Of its bytes, in hexadecimal. */
  readonly sha256: string;
  readonly kind: Kind;
  readonly width: number;
  readonly height: number;
}

/**
 * Makes of an upload what is stored: pixels turned the way EXIF says, in sRGB, without anything else of the client's file (places, names, cameras, what hides
 * behind the end), the first picture of an animation. Where the pixels are so already they are kept as they were coded, and lose nothing (decisions/016);
 * else they are encoded anew. What is made is there while `keep` runs. Throws 413 for too many pixels, 422 for what is cut short or does not decode.
 */
export type Clean = <T>(received: Received, keep: (cleaned: Cleaned) => Promise<T>) => Promise<T>;

/** Qualities of what is encoded anew; every other version is made of it. */
const KEEP: Partial<Record<Kind, number>> = { jpeg: 92, webp: 92, avif: 80 };

export function createClean({ bounded, maxPixels = 40_000_000, workTime = 20_000 }: CleanOptions): Clean {
  const read = (path: string, failOn: 'warning' | 'error'): Sharp =>
    sharp(path, { limitInputPixels: maxPixels, failOn }).timeout({ seconds: Math.ceil(workTime / 1000) });
  /** Kept as it was coded is only what decodes without a word. */
  const isSound = (path: string, header: Header, { proof }: Walked): Promise<boolean> =>
    bounded(() => decodes(read(path, 'warning'), header, proof), {
      bytes: weightOf(header, { width: 1, height: 1, kind: 'png' }),
    });

  return async (received, keep) => {
    const { path, kind } = received;
    const header = known(received) ?? (await look(path));
    if (!header) throw damaged();
    const { width, height } = header;
    if (width * height > maxPixels || Math.max(width, height) > HOLDS[kind])
      throw new Problem(
        413,
        `${width} × ${height} pixels are more than ${maxPixels / 1e6} megapixels, or than ${HOLDS[kind]} a side`,
      );
    const walked = header.isPlain ? received.walked : null;
    if (walked === 'damaged') throw damaged();
    if (received.hasTooManyScans)
      throw new Problem(422, `the picture has more than ${MOST_SCANS} scans; save it anew and send it again`);
    const asIs = walked !== null && isWhole(walked.parts, received.size);
    // What is stored has passed here before.
    if (asIs && (received.isStored || (await isSound(path, header, walked)))) {
      const { sha256, size, sync } = received;
      return keep({ path, sync, sha256, size, kind, width, height });
    }
    // What is made here is synced as it is made.
    const sync = (): Promise<void> => Promise.resolve();
    const made = join(dirname(path), randomUUID());
    try {
      if (walked && !asIs) {
        const copied = await copy(path, walked.parts, made);
        if ((await looksLike(made, header)) && (await isSound(made, header, walked)))
          return await keep({ path: made, sync, kind, width, height, ...copied });
      }
      // Here the first damage ends it, a warning does not: many cameras' files deserve one.
      const bytes = weightOf(header, { width, height, kind });
      const encoded = await bounded(() => encode(read(path, 'error'), kind, made, width * height), { bytes });
      return await keep({ path: made, sync, kind, ...encoded, ...(await digest(made)) });
    } finally {
      await rm(made, { force: true });
    }
  };
}

/** A header, and whether the picture can be kept as it was coded. */
interface Look extends Header {
  readonly isPlain: boolean;
}

/** What a decoder says of a file; null when it can not be read. That unfolds nothing, so no limit keeps the size from being told. */
async function look(path: string): Promise<Look | null> {
  const found = await sharp(path, { limitInputPixels: false })
    .metadata()
    .catch(() => null);
  return found && { ...headerOf(found), isPlain: isPlain(found) };
}

/** What was found out while the file came, if that is all there is to know; null: a decoder has to look. */
function known({ walked, size }: Received): Look | null {
  if (walked === null || walked === 'damaged' || !walked.header || !isWhole(walked.parts, size)) return null;
  return { ...walked.header, isPlain: true };
}

/** Upright, in sRGB or grey, of no more than 8 bits, alone in its file. */
function isPlain({ orientation, icc, space, depth, pages }: Metadata): boolean {
  return (
    (orientation ?? 1) <= 1 &&
    icc === undefined &&
    (space === 'srgb' || space === 'b-w') &&
    depth === 'uchar' &&
    (pages ?? 1) === 1
  );
}

/** Whether a decoder finds in the file a picture as it found in the one that it was made of. */
async function looksLike(path: string, { width, height, channels }: Header): Promise<boolean> {
  const found = await look(path);
  return (
    found !== null &&
    found.isPlain &&
    found.width === width &&
    found.height === height &&
    found.channels === channels
  );
}

/** Pixels of a beginning: with a damaged table, that is where it shows. */
const BEGINNING = 100_000;

/** Pixels of a side of what is made for the sake of faults only. */
const SHRUNK = 64;

/** Decodes for the sake of faults, from the top to one line, and keeps next to nothing of it. */
async function decodes(picture: Sharp, { width, height }: Header, proof: Walked['proof']): Promise<boolean> {
  const lines = proof === 'all' ? height : Math.min(height, Math.ceil(BEGINNING / width));
  const little =
    proof === 'shrunk'
      ? picture.resize(SHRUNK, SHRUNK, { fit: 'inside', withoutEnlargement: true })
      : picture.extract({ left: 0, top: lines - 1, width: 1, height: 1 });
  return little
    .raw()
    .toBuffer()
    .then(
      () => true,
      (error: Error) => {
        if (/timeout/i.test(error.message)) throw tooLong();
        return false;
      },
    );
}

async function encode(
  picture: Sharp,
  kind: Kind,
  path: string,
  pixels: number,
): Promise<{ width: number; height: number }> {
  // Profiles are applied when the picture is read, and left out when it is written.
  const { width, height } = await ENCODERS[kind](
    picture.autoOrient().toColourspace('srgb'),
    KEEP[kind],
    pixels,
  )
    .toFile(path)
    .catch(refused);
  return { width, height };
}

async function copy(from: string, parts: Parts, to: string): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  const bytes = async function* (): AsyncGenerator<Buffer> {
    for (const part of parts)
      for await (const chunk of Buffer.isBuffer(part) ? [part] : createReadStream(from, part)) {
        hash.update(chunk as Buffer);
        size += (chunk as Buffer).length;
        yield chunk as Buffer;
      }
  };
  await pipeline(Readable.from(bytes()), createWriteStream(to, { flags: 'wx', mode: 0o644, flush: true }));
  return { sha256: hash.digest('hex'), size };
}

/** Of what the encoder wrote; that is synced here. */
async function digest(path: string): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    await file.sync();
    const { size } = await file.stat();
    await pipeline(file.createReadStream({ autoClose: false }), hash);
    return { sha256: hash.digest('hex'), size };
  } finally {
    await file.close();
  }
}

/** The decoder speaks in sentences; a full disk is the one that is not about the picture. */
function refused(error: Error): never {
  if (/no space left|disk quota/i.test(error.message)) throw noSpace();
  if (/timeout/i.test(error.message)) throw tooLong();
  throw damaged();
}

function tooLong(): Problem {
  return new Problem(422, 'the picture takes too long to decode');
}
