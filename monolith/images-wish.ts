import { Problem } from './errors.ts';

const TYPES = { jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp', avif: 'image/avif' } as const;
const STORED = { ...TYPES, gif: 'image/gif' } as const;
/** What the shop can make. */
export type Format = keyof typeof TYPES;
/** What the shop keeps: also GIF, which it takes but makes nothing new of. */
export type StoredFormat = keyof typeof STORED;

export interface Wish {
  readonly w: number | null;
  readonly h: number | null;
  readonly fit: 'cover' | 'contain' | 'inside';
  readonly format: Format | 'auto' | null;
  readonly q: number | null;
}

const KNOWN = ['w', 'h', 'fit', 'format', 'q'];
const FITS = ['cover', 'contain', 'inside'] as const;
const FORMATS = ['jpeg', 'png', 'webp', 'avif', 'auto'] as const;
/** Longest side that can be asked for, in pixels. */
export const LONGEST_SIDE = 4096;

/**
 * The parameters of `GET /images/{id}`; null when there are none: the picture as it is. Unknown, repeated or out-of-range ones are refused by
 * name. `fit` is cover when both sides are named, else inside.
 */
export function readWish(url: string): Wish | null {
  const [, search = ''] = /\?(.*)$/s.exec(url) ?? [];
  const query = new URLSearchParams(search);
  for (const name of query.keys()) {
    if (!KNOWN.includes(name))
      throw new Problem('BAD_REQUEST', `${name} is not a parameter; there are ${KNOWN.join(', ')}`);
    if (query.getAll(name).length > 1) throw new Problem('BAD_REQUEST', `${name} is given more than once`);
  }
  if (query.size === 0) return null;
  const w = whole(query, 'w', LONGEST_SIDE);
  const h = whole(query, 'h', LONGEST_SIDE);
  return {
    w,
    h,
    fit: oneOf(query, 'fit', FITS) ?? (w !== null && h !== null ? 'cover' : 'inside'),
    format: oneOf(query, 'format', FORMATS),
    q: whole(query, 'q', 100),
  };
}

function whole(query: URLSearchParams, name: string, maximum: number): number | null {
  const text = query.get(name);
  if (text === null) return null;
  if (!/^[1-9]\d{0,3}$/.test(text) || Number(text) > maximum)
    throw new Problem('BAD_REQUEST', `${name} is a whole number from 1 to ${maximum}`);
  return Number(text);
}

function oneOf<T extends string>(query: URLSearchParams, name: string, values: readonly T[]): T | null {
  const text = query.get(name);
  if (text === null) return null;
  const value = values.find((each) => each === text);
  if (!value) throw new Problem('BAD_REQUEST', `${name} is one of ${values.join(', ')}`);
  return value;
}

/**
 * The kind of picture that answers a wish. `auto` is WebP for whoever names it as acceptable, else what every browser shows: AVIF would be
 * smaller still, but takes ten times as long to make.
 */
export function chosenFormat(wish: Wish, stored: StoredFormat, accept: string): Format {
  if (wish.format === 'auto') {
    if (takesWebp(accept)) return 'webp';
    return stored === 'png' || stored === 'gif' ? 'png' : 'jpeg';
  }
  return wish.format ?? (stored === 'gif' ? 'png' : stored);
}

/** What `q` is when it is not given; PNG loses nothing and has none. */
export const QUALITY = { jpeg: 82, webp: 80, avif: 55, png: null } as const;

/** Part of the ETag: one for all ways to word the same picture. `format`: as chosen. */
export function variantOf({ w, h, fit, q }: Wish, format: StoredFormat): string {
  // A single side is fitted inside whatever the fit says, and a quality says nothing where it is the preset's or nobody's.
  const shape = w !== null && h !== null ? fit : 'inside';
  const preset = format === 'gif' ? null : QUALITY[format];
  return `-${w ?? ''}x${h ?? ''}-${shape}-${format}-${preset === null || q === preset ? '' : (q ?? '')}`;
}

/** By name only: a client that takes just anything may be one that can't show WebP. */
function takesWebp(accept: string): boolean {
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === 'image/webp' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

export function contentType(format: StoredFormat): string {
  return STORED[format];
}

export function isStored(format: string): format is StoredFormat {
  return Object.hasOwn(STORED, format);
}
