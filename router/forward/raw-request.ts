/** Requests as bytes, for what no client library would send. The lines get their ends, and the head its empty line. */
export const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;

/** A GET with the one right Host. */
export const get = (target: string, ...lines: string[]): string =>
  head(`GET ${target} HTTP/1.1`, 'Host: shop', ...lines);

/** The head of a POST; its body is up to the caller. */
export const post = (...lines: string[]): string => head('POST /x HTTP/1.1', 'Host: shop', ...lines);

/** What must never be taken for a request when it lies in or behind another one. */
export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: shop\r\n\r\n';

export const CHUNKED = 'Transfer-Encoding: chunked';

/** A body in one chunk. */
export const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
