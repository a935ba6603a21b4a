import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Told } from './refusals.ts';

type Headers = readonly (readonly [string, string])[];

/** An answer of the router's own. */
export interface OwnAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** What an answer needs to know of its request and connection. */
export interface Asked {
  /** HTTP minor version of the request; an HTTP/1.0 client is told that the connection stays. */
  readonly minor: number;
  /** The method is HEAD: the body is only announced. */
  readonly isHead: boolean;
  readonly requestId: string;
}

/** Writes an answer of the router's own; `closes` tells the client that it is the last one. Throws when a header would not be one line. */
export function writeOwn(
  socket: Socket,
  { status, headers, body }: OwnAnswer,
  asked: Asked,
  closes: boolean,
): void {
  const hasBody = status !== 204 && status !== 304;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, `Date: ${httpDate()}`];
  for (const [name, value] of headers) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw new Error(`header ${JSON.stringify(name)} of an answer is invalid`);
    lines.push(`${name}: ${value}`);
  }
  lines.push(`X-Request-Id: ${asked.requestId}`);
  if (closes) lines.push('Connection: close');
  else if (asked.minor === 0) lines.push('Connection: keep-alive');
  if (hasBody) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  socket.write(hasBody && !asked.isHead && body !== '' ? Buffer.concat([head, Buffer.from(body)]) : head);
}

/** An error as RFC 9457 has it. */
export function problem({ status, code, detail }: Told, more: Headers = []): OwnAnswer {
  const body = JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail,
  });
  const headers: [string, string][] = [
    ['Content-Type', 'application/problem+json'],
    ['Cache-Control', 'no-store'],
  ];
  if (status === 405) headers.push(['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']);
  if (status === 503) headers.push(['Retry-After', '1']);
  return { status, headers: [...headers, ...more], body };
}

let date = '';
let dateAt = 0;

/** The Date of now; a new text once a second. */
function httpDate(): string {
  const now = Date.now();
  if (now - dateAt >= 1000 || now < dateAt) {
    dateAt = now - (now % 1000);
    date = new Date(now).toUTCString();
  }
  return date;
}
