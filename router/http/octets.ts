/**
 * Character classes of HTTP as tables indexed by byte: one load and one test a byte, which is what the codec spends its time on.
 */

/** tchar of RFC 9110 section 5.6.2: its lower-case form, or 0 when the byte can't stand in a token. */
export const TOKEN = table((byte) =>
  /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte))
    ? String.fromCharCode(byte).toLowerCase().charCodeAt(0)
    : 0,
);

/** What may stand in a field value: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.5). */
export const FIELD_VALUE = table((byte) => (byte === 9 || (byte >= 0x20 && byte !== 0x7f) ? 1 : 0));

/** What may stand in a request target: VCHAR without `#`. Bytes above 0x7f must come percent-encoded (RFC 3986 section 2.1). */
export const TARGET = table((byte) => (byte > 0x20 && byte < 0x7f && byte !== 0x23 ? 1 : 0));

/** Path characters that mean the same to every server, the slash left out: unreserved, sub-delims without `;`, `:` and `@`. */
export const PLAIN = table((byte) => (/[A-Za-z0-9._~!$&'()*+,=:@-]/.test(String.fromCharCode(byte)) ? 1 : 0));

/** Value of a hexadecimal digit plus one; 0 when it is none. */
export const HEX = table((byte) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase());
  return digit + 1;
});

function table(of: (byte: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => of(byte));
}

export const CR = 13;
export const LF = 10;
export const SP = 32;
export const HTAB = 9;

/** True when the bytes are `word` (lower-case ASCII) in any case. */
export function equalsIgnoringCase(bytes: Buffer, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let index = 0; index < word.length; index++) {
    const byte = bytes[start + index]!;
    const lower = byte >= 65 && byte <= 90 ? byte | 32 : byte;
    if (lower !== word.charCodeAt(index)) return false;
  }
  return true;
}
