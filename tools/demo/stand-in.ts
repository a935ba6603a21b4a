import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';

/** What is wrong with the service. */
export type Trouble =
  | 'none'
  /** It swaps width and height in what it says of a picture. */
  | 'swapped'
  /** One request in twenty is answered with 500. */
  | 'errors';

export interface StandIn {
  trouble: Trouble;
  close(): Promise<void>;
}

/** Stands before the image-api and makes trouble on demand; the router takes it for the service. */
export async function standIn(port: number, service: { readonly port: number }): Promise<StandIn> {
  let asked = 0;
  const server = createServer((incoming, answer) => {
    if (self.trouble === 'errors' && ++asked % 20 === 0) {
      answer.writeHead(500, { 'content-type': 'application/problem+json' });
      return void answer.end('{"status":500,"code":"PLANTED","detail":"this build has a fault"}');
    }
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: service.port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      },
      (response) => {
        if (self.trouble === 'swapped' && incoming.url!.endsWith('/meta')) void swap(response, answer);
        else {
          answer.writeHead(response.statusCode!, response.headers);
          response.pipe(answer);
          response.on('error', () => answer.destroy());
        }
      },
    );
    outgoing.on('error', () => answer.destroy());
    answer.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  const self: StandIn = {
    trouble: 'none',
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return self;
}

async function swap(response: IncomingMessage, answer: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  let body = Buffer.concat(pieces).toString();
  if (response.statusCode === 200) {
    const meta = JSON.parse(body) as { width: number; height: number };
    body = JSON.stringify({ ...meta, width: meta.height, height: meta.width });
  }
  answer.writeHead(response.statusCode!, {
    ...response.headers,
    'content-length': String(Buffer.byteLength(body)),
  });
  answer.end(body);
}
