import type { Kind } from './wish.ts';

type Signature = (head: Buffer) => boolean;

const at =
  (offset: number, text: string): Signature =>
  (head) =>
    head.toString('latin1', offset, offset + text.length) === text;

/** How files of each kind begin. */
const SIGNATURES: readonly (readonly [Kind, Signature])[] = [
  ['jpeg', at(0, '\xff\xd8\xff')],
  ['png', at(0, '\x89PNG\r\n\x1a\n')],
  ['gif', (head) => at(0, 'GIF87a')(head) || at(0, 'GIF89a')(head)],
  ['webp', (head) => at(0, 'RIFF')(head) && at(8, 'WEBP')(head)],
  [
    'avif',
    (head) => at(4, 'ftyp')(head) && brands(head).some((brand) => brand === 'avif' || brand === 'avis'),
  ],
];
/** Bytes that are looked at: what a list of AVIF's brands may take. */
export const HEAD = 64;

/**
 * What a file is, judged by how it begins: its first `HEAD` bytes, or all of a shorter one. Name and Content-Type are the client's word and count for nothing.
 * Null for what is not taken (SVG, HEIC, TIFF, PDF, text): no decoder ever sees it.
 */
export function kindOf(head: Buffer): Kind | null {
  return SIGNATURES.find(([, begins]) => begins(head.subarray(0, HEAD)))?.[0] ?? null;
}

/** ISO 14496-12 §4.3: size of the box, 'ftyp', the major brand, a version, and the brands it is compatible with. */
function brands(head: Buffer): string[] {
  const end = Math.min(head.length, head.readUInt32BE(0));
  const found = [head.toString('latin1', 8, 12)];
  for (let offset = 16; offset + 4 <= end; offset += 4)
    found.push(head.toString('latin1', offset, offset + 4));
  return found;
}
