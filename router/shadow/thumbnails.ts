import { mediaType } from './compare/answer.ts';
import type { Comparison } from './compare/compare.ts';
import { decoded } from './compare/decoded.ts';
import { thumbnails } from './compare/image.ts';

/** Longest side of the pictures of a mismatch, in pixels. */
const SIDE = 512;

/** PNG of both sides and of what differs. */
export interface Pictures {
  readonly primary: Uint8Array;
  readonly shadow: Uint8Array;
  readonly difference: Uint8Array;
}

/** The pictures of a comparison, for people; null when it is none of pictures, or one can't be read. */
export async function picturesOf({ primary, shadow, rules }: Comparison): Promise<Pictures | null> {
  if (rules.mode !== 'image' || primary.isTooLong || shadow.isTooLong) return null;
  if (!mediaType(primary).startsWith('image/') || !mediaType(shadow).startsWith('image/')) return null;
  const one = decoded(primary, rules.maxDecoded);
  const other = decoded(shadow, rules.maxDecoded);
  return one === null || other === null ? null : await thumbnails(one, other, SIDE);
}
