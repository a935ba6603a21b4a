import type { Walk } from './parts.ts';
import { damaged } from './problem.ts';

/**
 * Of a WebP in its simple form (RFC 9649 §2.5, §2.6): the one chunk it has, which is pixels and nothing else. The extended form has places for everything and is
 * encoded anew.
 */
export const webpParts: Walk = async (bytes) => {
  const head = await bytes.at(0, 20);
  if (head.length < 20) throw damaged();
  const end = 8 + head.readUInt32LE(4);
  if (end > bytes.size) throw damaged();
  const type = head.toString('latin1', 12, 16);
  const length = head.readUInt32LE(16);
  const isOnly = 20 + length + (length % 2) === end;
  return (type === 'VP8 ' || type === 'VP8L') && isOnly
    ? { parts: [{ start: 0, end: end - 1 }], proof: 'all' }
    : null;
};
