import { STATUS_CODES } from 'node:http';

/** The router's own answers on the traffic port: application/problem+json (RFC 9457), never cached. */
export function problemHeaders(status: number): string[] {
  const headers = ['Content-Type', 'application/problem+json', 'Cache-Control', 'no-store'];
  if (status === 503) headers.push('Retry-After', '1');
  return headers;
}

export function problemText(status: number, code: string, detail: string): string {
  return `${JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, code, detail })}\n`;
}
