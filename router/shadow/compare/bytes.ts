import { createHash } from 'node:crypto';
import type { Findings } from './difference.ts';

/** Compares two bodies byte by byte. */
export function compareBytes(primary: Uint8Array, shadow: Uint8Array, findings: Findings): void {
  if (findings.places.has('body')) return void findings.masked++;
  findings.compared++;
  if (Buffer.compare(primary, shadow) === 0) return;
  findings.add({ kind: 'bytes', where: 'body', primary: told(primary), shadow: told(shadow) });
}

/** A body in a few words: what it says is not kept. */
function told(body: Uint8Array): string {
  return `${body.length} bytes, sha256 ${createHash('sha256').update(body).digest('hex').slice(0, 16)}`;
}
