/** A request as it was sent, read back from its head. */
export interface SentHead {
  readonly method: string;
  /** Path and query, byte for byte (latin1). */
  readonly target: string;
  readonly lines: readonly (readonly [name: string, value: string])[];
}

/** Reads a head that the router itself has written: it is valid. */
export function readSentHead(head: string): SentHead {
  const [first = '', ...rest] = linesOf(head);
  const [method = '', target = ''] = first.split(' ');
  return { method, target, lines: rest.map(line) };
}

/** The header lines of an answer that the data path has found valid, names in lower case. */
export function readAnswerLines(head: string): [name: string, value: string][] {
  return linesOf(head)
    .slice(1)
    .map((text) => {
      const [name, value] = line(text);
      return [name.toLowerCase(), value];
    });
}

function linesOf(head: string): string[] {
  return head.split('\r\n').filter((each) => each !== '');
}

function line(text: string): [string, string] {
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1).trim()];
}

/** Lines of the copy that belong to the primary's connection or are made anew. */
const OWN =
  /^(?:connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|content-length|expect|strangler-.*)$/i;

/**
 * The head of the copy, for node:http: the primary's own lines, cookies and authorization included, for it goes to services of the same owner,
 * and one that says what it is.
 */
export function copiedLines(head: SentHead, bodyLength: number | null): string[] {
  const lines = head.lines.filter(([name]) => !OWN.test(name)).flat();
  lines.push('Strangler-Shadow', '1');
  if (bodyLength !== null) lines.push('Content-Length', String(bodyLength));
  return lines;
}
