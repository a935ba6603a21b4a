/**
 * Value of one cookie in a Cookie header (RFC 6265 section 5.4), without its quotes; undefined when absent. Scans for the name instead
 * of splitting the header, because most requests carry many cookies and need one.
 */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  let from = 0;
  while (from < header.length) {
    const found = header.indexOf(`${name}=`, from);
    if (found === -1) return undefined;
    const before = header.slice(0, found).trimEnd();
    if (before === '' || before.endsWith(';')) {
      const end = header.indexOf(';', found);
      const value = header.slice(found + name.length + 1, end === -1 ? header.length : end).trim();
      return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
    from = found + 1;
  }
  return undefined;
}
