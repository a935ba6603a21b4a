import { open } from 'node:fs/promises';
import type { StoredFormat } from './images-wish.ts';

/** Bytes at the start of a file that tell its kind; AVIF's list of brands is the longest. */
const HEAD = 64;

/**
 * The kind of picture a file is by its first bytes, never by its name; null for everything the shop doesn't take (SVG, TIFF, HEIC, PDF, text …),
 * which so never reaches a decoder.
 */
export async function sniff(path: string): Promise<StoredFormat | null> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0);
    return kindOf(buffer.toString('latin1', 0, bytesRead));
  } finally {
    await file.close();
  }
}

function kindOf(head: string): StoredFormat | null {
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (/^GIF8[79]a/.test(head)) return 'gif';
  if (/^RIFF[^]{4}WEBP/.test(head)) return 'webp';
  // ISO 14496-12 §4.3: size, 'ftyp', major brand, version, further brands.
  if (head.slice(4, 8) === 'ftyp') {
    const size = Buffer.from(head.slice(0, 4), 'latin1').readUInt32BE();
    const brands: string[] = (head.slice(8, 12) + head.slice(16, size)).match(/[^]{4}/g) ?? [];
    if (brands.includes('avif') || brands.includes('avis')) return 'avif';
  }
  return null;
}
