import { crc32 } from 'node:zlib';

/** `SKR1`, the length of the bytes and a checksum over key and bytes, each 32 bits with the highest byte first. */
const MAGIC = 0x534b5231;
export const HEADER = 12;

/**
 * A rendition as it lies on the disk. Nothing is synced there, so after a power cut a file may be short, empty or another's: the header is what tells. The key is
 * in the checksum, so that a file under a wrong name is none.
 */
export function seal(key: string, bytes: Buffer): Buffer {
  const file = Buffer.allocUnsafe(HEADER + bytes.length);
  file.writeUInt32BE(MAGIC, 0);
  file.writeUInt32BE(bytes.length, 4);
  file.writeUInt32BE(crc32(bytes, crc32(key)), 8);
  bytes.copy(file, HEADER);
  return file;
}

/** The bytes of a file that `seal` made for this key; null for every other file. */
export function unseal(key: string, file: Buffer): Buffer | null {
  if (file.length < HEADER || file.readUInt32BE(0) !== MAGIC) return null;
  const bytes = file.subarray(HEADER);
  if (file.readUInt32BE(4) !== bytes.length || file.readUInt32BE(8) !== crc32(bytes, crc32(key))) return null;
  return bytes;
}
