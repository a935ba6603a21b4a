import { LRUCache } from 'lru-cache';
import sharp, { type Sharp } from 'sharp';
import type { Bounded } from './bounded.ts';
import { ENCODERS, HOLDS } from './codecs.ts';
import { damaged, Problem } from './problem.ts';
import { headerOf, weightOf, type Header } from './weight.ts';
import { MAX_SIDE, type Kind, type Wish } from './wish.ts';

export interface RenderOptions {
  /** Where pictures wait for their turn. */
  readonly bounded: Bounded;
  /** Pixels of a stored picture. Default 40 million. */
  readonly maxPixels?: number;
  /** Milliseconds one picture may be in work. Default 20,000. */
  readonly workTime?: number;
  /** Hears how long a picture was in work. */
  readonly onMade?: (kind: Kind, seconds: number) => void;
}

/** A stored picture. */
export interface Stored {
  readonly path: string;
  /** Of its bytes, in hexadecimal. */
  readonly sha256: string;
}

/**
 * The wanted version of a stored picture, in sRGB; of an animation, of its first frame. An aborted `signal` takes it out of the line. Throws 503 when it takes too
 * long, 413 when it takes too much memory, 422 for a JPEG that is damaged where an upload does not look (decisions/016).
 */
export type Render = (stored: Stored, wish: Wish, signal?: AbortSignal) => Promise<Buffer>;

/** Pictures whose headers are remembered: a page asks for several sizes of one, and each has to be weighed. */
const HEADERS = 10_000;

export function createRender({
  bounded,
  maxPixels = 40_000_000,
  workTime = 20_000,
  onMade,
}: RenderOptions): Render {
  const headers = new LRUCache<string, Header>({ max: HEADERS });
  return async ({ path, sha256 }, wish, signal) => {
    const picture = sharp(path, { limitInputPixels: maxPixels, failOn: 'error' });
    const header = headers.get(sha256) ?? headerOf(await picture.metadata());
    headers.set(sha256, header);
    const { width, height } = outputOf(header, wish);
    const late = Promise.withResolvers<never>();
    late.promise.catch(() => undefined);
    const work = async (): Promise<Buffer> => {
      const start = performance.now();
      // The decoder and the resizer look at libvips' own clock, in whole seconds; an encoder may not. So the answer does not wait for either, while
      // the room is given back only when the thread is.
      picture.timeout({ seconds: Math.ceil(workTime / 1000) });
      const timer = setTimeout(() => late.reject(tooSlow(workTime)), workTime);
      try {
        const shown = sized(seen(picture, header, wish), wish);
        const made = await ENCODERS[wish.kind](shown, wish.quality, width * height).toBuffer();
        onMade?.(wish.kind, (performance.now() - start) / 1000);
        return made;
      } catch (error) {
        const { message } = error as Error;
        throw /^timeout\b/.test(message)
          ? tooSlow(workTime)
          : message.includes('Corrupt JPEG')
            ? damaged()
            : error;
      } finally {
        clearTimeout(timer);
      }
    };
    const bytes = weightOf(header, { width, height, kind: wish.kind });
    return Promise.race([bounded(work, { signal, bytes }), late.promise]);
  };
}

function tooSlow(workTime: number): Problem {
  return new Problem(
    503,
    `this picture takes longer than ${workTime / 1000} s to make; ask for a smaller one, or for another format`,
    { 'retry-after': '10' },
  );
}

/** Pixels of a side that a picture may have when it is enlarged; libvips can count twice as many. */
const MAX_ENLARGED = 2 ** 24;

/** Of a strip that has to fill a box, what will be seen: all of it, enlarged, would be longer than libvips can count. */
function seen(picture: Sharp, header: Pick<Header, 'width' | 'height'>, { width, height, fit }: Wish): Sharp {
  if (width === undefined || height === undefined || fit !== 'cover') return picture;
  const scale = Math.max(width / header.width, height / header.height);
  if (Math.max(header.width, header.height) * scale <= MAX_ENLARGED) return picture;
  const part = {
    width: Math.min(header.width, Math.ceil(width / scale)),
    height: Math.min(header.height, Math.ceil(height / scale)),
  };
  return picture.extract({
    left: Math.floor((header.width - part.width) / 2),
    top: Math.floor((header.height - part.height) / 2),
    ...part,
  });
}

/**
 * Two sides: exactly these (cover, contain) or within these (inside), larger or smaller than the original. One: the other follows in
 * proportion, within the largest side: else a strip a pixel wide could be blown up to thousands of megapixels. None: as stored, or as large as
 * the format can hold.
 */
function sized(picture: Sharp, { width, height, fit, kind }: Wish): Sharp {
  if (width === undefined && height === undefined)
    return picture.resize({
      width: HOLDS[kind],
      height: HOLDS[kind],
      fit: 'inside',
      withoutEnlargement: true,
    });
  if (width === undefined || height === undefined)
    return picture.resize({ width: width ?? MAX_SIDE, height: height ?? MAX_SIDE, fit: 'inside' });
  const background = kind === 'jpeg' ? '#fff' : { r: 255, g: 255, b: 255, alpha: 0 };
  return picture.resize({ width, height, fit, background });
}

/** Pixels of what `sized` makes, to within one. */
function outputOf(
  header: Pick<Header, 'width' | 'height'>,
  { width, height, fit }: Wish,
): { width: number; height: number } {
  if (width !== undefined && height !== undefined && fit !== 'inside') return { width, height };
  const isFree = width === undefined && height === undefined;
  const scale = isFree
    ? 1
    : Math.min((width ?? MAX_SIDE) / header.width, (height ?? MAX_SIDE) / header.height);
  return {
    width: Math.max(1, Math.round(header.width * scale)),
    height: Math.max(1, Math.round(header.height * scale)),
  };
}
