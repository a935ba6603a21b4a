import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from '@prometheus-io/client';

export interface PortOptions {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  /** What is missing before mails can be handled; null when nothing is. */
  readonly missing: () => Promise<string | null>;
}

export interface Port {
  readonly number: number;
  close(): Promise<void>;
}

/** `/livez`, `/readyz` and `/metrics`; nothing else is asked of the service by HTTP. Rejects with a sentence when the port is taken. */
export async function openPort({ host, port, registry, missing }: PortOptions): Promise<Port> {
  const answers: Readonly<Record<string, (response: ServerResponse) => Promise<void>>> = {
    '/livez': async (response) => json(response, 200, { status: 'live' }),
    '/readyz': async (response) => {
      const reason = await missing();
      if (reason === null) json(response, 200, { status: 'ready' });
      else json(response, 503, { status: 'not ready', reason });
    },
    '/metrics': async (response) => {
      const text = await registry.metrics();
      response.writeHead(200, { 'content-type': registry.contentType }).end(text);
    },
  };
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 10_000 }, (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    const answer = answers[path];
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    request.resume();
    if (answer && isRead)
      answer(response).catch(() => problem(response, 500, 'INTERNAL', 'this can not be told'));
    else if (answer) problem(response, 405, 'METHOD', 'only GET is answered here', { allow: 'GET, HEAD' });
    else problem(response, 404, 'NOT_FOUND', 'this service answers /livez, /readyz and /metrics');
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    throw isTaken ? new Error(`port ${port} is taken; set EMAIL_API_PORT to another`) : error;
  }
  return {
    number: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function json(response: ServerResponse, status: number, body: object, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(JSON.stringify(body));
}

/** RFC 9457. */
function problem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const title =
    { 404: 'There is no such thing', 405: 'This can not be done here' }[status] ?? 'The service failed';
  json(response, status, { type: 'about:blank', title, status, code, detail }, 'application/problem+json');
}
