import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

/** What became of a load. */
export interface Tally {
  readonly sent: number;
  /** One line for each request that was not answered with 200, and each connection that was refused. */
  readonly failures: readonly string[];
  /** Ids of the POSTs that were answered with 200. */
  readonly posted: readonly string[];
  /** Connections that were opened. */
  readonly connections: number;
}

export interface SteadyLoad {
  /** Requests answered so far. */
  answered(): number;
  /** Failures so far. */
  failures(): readonly string[];
  stop(): Promise<Tally>;
}

/**
 * Asks without pause until stopped: `kept` clients over connections they keep as long as the server does, `fresh` ones over a new connection for each
 * request. Every fourth request is a POST with an id of its own. Raw sockets, so that nothing is retried behind our back: any connection refused, reset, or
 * ended in an answer or before one is a failure.
 */
export function steadyLoad(port: number, { kept = 8, fresh = 4 } = {}): SteadyLoad {
  let isStopping = false;
  let sent = 0;
  let answered = 0;
  let connections = 0;
  const failures: string[] = [];
  const posted: string[] = [];

  async function client(name: string, isKept: boolean): Promise<void> {
    let socket: Socket | null = null;
    for (let n = 0; !isStopping; n++) {
      const id = `${name}-${n}`;
      const isPost = n % 4 === 3;
      const lines = isPost ? [`POST /p?id=${id} HTTP/1.1`, 'Content-Length: 1'] : [`GET /g?${id} HTTP/1.1`];
      if (!isKept) lines.push('Connection: close');
      sent++;
      try {
        if (socket === null) {
          socket = connect({ port, host: '127.0.0.1', noDelay: true });
          socket.on('error', () => undefined);
          connections++;
          await once(socket, 'connect');
        }
        const text = await exchange(
          socket,
          `${lines.join('\r\n')}\r\nHost: shop\r\n\r\n${isPost ? 'x' : ''}`,
        );
        if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(text.slice(0, 60));
        answered++;
        if (isPost) posted.push(id);
        if (isKept && !/\r\nconnection: close\r\n/i.test(text)) continue;
      } catch (error) {
        failures.push(`${id} on ${isKept ? 'a kept' : 'a fresh'} connection: ${(error as Error).message}`);
        // A port that refuses would be asked a million times.
        await new Promise((done) => setTimeout(done, 10));
      }
      socket?.destroy();
      socket = null;
    }
    socket?.destroy();
  }

  const clients = [
    ...Array.from({ length: kept }, (_, n) => client(`k${n}`, true)),
    ...Array.from({ length: fresh }, (_, n) => client(`f${n}`, false)),
  ];
  return {
    answered: () => answered,
    failures: () => failures,
    async stop() {
      isStopping = true;
      await Promise.all(clients);
      return { sent, failures, posted, connections };
    },
  };
}

/** Sends a request and resolves with its whole answer, whose body is as long as it says. */
async function exchange(socket: Socket, request: string): Promise<string> {
  return await new Promise((done, fail) => {
    let text = '';
    const end = (error: Error | null): void => {
      socket.removeListener('data', received);
      socket.removeListener('close', closed);
      socket.removeListener('error', fail);
      if (error) fail(error);
      else done(text);
    };
    const received = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      const length = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1] ?? Number.NaN);
      const isChunked = /\r\ntransfer-encoding: chunked\r\n/i.test(text);
      if (head !== -1 && (isChunked ? text.endsWith('0\r\n\r\n') : text.length >= head + 4 + length))
        end(null);
    };
    const closed = (): void =>
      end(new Error(`the connection ended after ${text.length} bytes of the answer`));
    socket.on('data', received);
    socket.once('close', closed);
    socket.once('error', fail);
    socket.write(request);
  });
}

/** One GET over a connection of its own: its status and the side that answered; status 0 when there was no answer. */
export async function askFresh(
  port: number,
  path: string,
  key: string,
): Promise<{ status: number; side: string }> {
  const socket = connect({ port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: shop\r\nx-user-id: ${key}\r\nConnection: close\r\n\r\n`);
  await new Promise((done) => socket.once('close', done));
  return {
    status: Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1] ?? 0),
    side: /\r\nx-served-by: (\S+)/i.exec(text)?.[1] ?? '',
  };
}
